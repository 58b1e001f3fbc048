"""The arithmetic of EN 16931: what an invoice's lines, taxes and totals are in the terms of the standard.

Amounts are the ledger's own and are never computed anew: an e-invoice that says other cents than the invoice would be a
second invoice. Where the standard's arithmetic is not ours, it is met like this:

- a line's net amount (BT-131) is quantity x price, less its allowance, plus its charge. A price over tiers, with
  included units, limits or proration has no one price per unit: such a line is one unit at what it comes to, or minus
  one, since a price (BT-146) is never negative (BR-27);
- tax is rounded once per rate there (BR-CO-17, BR-S-9), and here per rate or per line (`billing.rating.taxes`). The
  sum of the lines' taxes stands; the standard's own Schematron allows a difference below one unit of the currency,
  and beyond that (`beyond_rounding`) there is no e-invoice.

Source: EN 16931-1:2017 (6.4, business rules), and the Schematron of its CII syntax binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.rating.pricing.exact import ZERO, multiply, subtract, total
from kernel.money import EXACT, round_to_currency

_ONE = Decimal(1)
_CENT = Decimal("0.01")


class TaxCategory(StrEnum):
    """UNTDID 5305, as far as we know of it."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    #: Outside the scope of VAT: what somebody without a VAT number sells.
    NOT_SUBJECT = "O"


@dataclass(frozen=True, slots=True)
class BilledLine:
    """An invoice line: `amount` before its discount and tax; `tax_rate` as a share of one."""

    amount: Decimal
    discount: Decimal
    tax: Decimal
    tax_rate: Decimal
    quantity: Decimal
    #: Where all units have one price in money.
    unit_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ELine:
    """BG-25: `net` = `quantity` x `price` - `allowance` + `charge`, rounded. `is_counted` where the quantity is the
    line's own, and not one of the whole."""

    quantity: Decimal
    price: Decimal
    allowance: Decimal
    charge: Decimal
    net: Decimal
    category: TaxCategory
    rate: Decimal
    is_counted: bool


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """BG-23: all lines of one category and rate."""

    category: TaxCategory
    rate: Decimal
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class ETotals:
    """BG-22: `line_total` is BT-106 and BT-109, `tax` BT-110, `total` BT-112, `prepaid` BT-113, `due` BT-115."""

    line_total: Decimal
    tax: Decimal
    total: Decimal
    prepaid: Decimal
    due: Decimal


def categories_of(lines: Sequence[BilledLine], *, treatment: str, has_vat_id: bool) -> list[TaxCategory]:
    """The tax category of each line, by the invoice's tax `treatment` (standard, exempt or reverse_charge).

    A taxed line is `S`, whatever the treatment is now: what is given back is taxed as it was charged. Nothing is
    outside the scope of VAT (`O`) beside something that is not (BR-O-11).
    """
    untaxed = {"exempt": TaxCategory.EXEMPT, "reverse_charge": TaxCategory.REVERSE_CHARGE}.get(treatment)
    if untaxed is None:
        is_outside = not has_vat_id and not any(_is_taxed(line) for line in lines)
        untaxed = TaxCategory.NOT_SUBJECT if is_outside else TaxCategory.ZERO
    return [TaxCategory.STANDARD if _is_taxed(line) else untaxed for line in lines]


def e_line(line: BilledLine, category: TaxCategory, *, currency: str) -> ELine:
    """The line in the standard's terms."""
    quantity, price, is_counted = _quantity_and_price(line, currency)
    return ELine(
        quantity=quantity,
        price=price,
        allowance=max(line.discount, ZERO),
        charge=max(-line.discount, ZERO),
        net=subtract(line.amount, line.discount),
        category=category,
        rate=line.tax_rate if category == TaxCategory.STANDARD else ZERO,
        is_counted=is_counted,
    )


def tax_groups(lines: Iterable[tuple[ELine, Decimal]]) -> list[TaxGroup]:
    """The breakdown of VAT of lines with their taxes, by category and then rate, dearest first."""
    found: dict[tuple[TaxCategory, Decimal], list[tuple[Decimal, Decimal]]] = {}
    for line, tax in lines:
        found.setdefault((line.category, line.rate), []).append((line.net, tax))
    order = list(TaxCategory)
    return [
        TaxGroup(category, rate, total(net for net, _ in parts), total(tax for _, tax in parts))
        for (category, rate), parts in sorted(found.items(), key=lambda one: (order.index(one[0][0]), -one[0][1]))
    ]


def e_totals(groups: Sequence[TaxGroup], *, prepaid: Decimal) -> ETotals:
    """The totals over `groups`; `prepaid` is what credit has paid (negative where the invoice adds to it)."""
    base, tax = total(group.base for group in groups), total(group.tax for group in groups)
    return ETotals(base, tax, base + tax, prepaid, subtract(base + tax, prepaid))


def beyond_rounding(groups: Iterable[TaxGroup]) -> TaxGroup | None:
    """Return the first group whose tax is further from base x rate (to two decimals, in any currency) than the
    Schematron of BR-CO-17 and BR-S-9 allows, None where there is none."""
    return next((one for one in groups if abs(subtract(one.tax, expected_tax(one))) >= _ONE), None)


def expected_tax(group: TaxGroup) -> Decimal:
    """Return base x rate, to two decimals."""
    return _to_cents(multiply(group.base, group.rate))


def _to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, context=EXACT)


def _is_taxed(line: BilledLine) -> bool:
    return line.tax_rate != 0


def _quantity_and_price(line: BilledLine, currency: str) -> tuple[Decimal, Decimal, bool]:
    if line.unit_amount is not None and line.unit_amount >= 0:
        amount = multiply(line.quantity, line.unit_amount)
        if round_to_currency(amount, currency) == line.amount:
            return line.quantity, line.unit_amount, True
    return (-_ONE if line.amount < 0 else _ONE), abs(line.amount), False
