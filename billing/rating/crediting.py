"""How much of an invoice's lines a credit note takes back, with the tax that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.rating.pricing.exact import ZERO, add, share, subtract, total
from billing.rating.taxes import TaxRounding, down_and_up, spread
from kernel.errors import InvalidError
from kernel.money import round_to_currency


class CreditExceedsLine(InvalidError):
    code = "credit_exceeds_line"


class CreditExceedsInvoice(InvalidError):
    """More than is left of the invoice as a whole, whose other lines give money back."""

    code = "credit_exceeds_invoice"


class NothingToCredit(InvalidError):
    """All of the invoice is taken back already, or what is left of it is in the customer's favour."""

    code = "nothing_to_credit"


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line as it was billed (`net` of its discount, with its `tax`), and what was taken back of it so far."""

    id: str
    net: Decimal
    tax: Decimal
    credited: Decimal = ZERO
    credited_tax: Decimal = ZERO
    tax_rate: Decimal = ZERO

    @property
    def left(self) -> Decimal:
        return subtract(self.net, self.credited)


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """`amount` (before tax) and `tax` that are taken back of a line."""

    id: str
    amount: Decimal
    tax: Decimal


def credit_lines(
    lines: Sequence[BilledLine],
    amounts: Mapping[str, Decimal] | None,
    *,
    currency: str,
    tax_rounding: str = TaxRounding.LINE,
) -> list[CreditedLine]:
    """What a credit note takes back: `amounts` by line, or all that is left of every line.

    Tax goes in proportion, rounded as the invoice's was (`tax_rounding`): per line, or per rate and then spread over
    the lines. It is rounded on what was taken back so far and now together, so that however many notes take a line
    back, none of its tax is lost and none given back twice. Raises `CreditExceedsLine`, `CreditExceedsInvoice`,
    `NothingToCredit`.
    """
    asked = {one.id: _asked(one, amounts) for one in lines}
    if tax_rounding == TaxRounding.DOCUMENT:
        credited = _credited_per_rate(lines, asked, currency)
    else:
        credited = [_credited(one, asked[one.id], currency) for one in lines if asked[one.id]]
    if not credited or total(add(one.amount, one.tax) for one in credited) <= 0:
        raise NothingToCredit("Nothing of this invoice is left to take back")
    left = total(add(one.left, subtract(one.tax, one.credited_tax)) for one in lines)
    if total(add(one.amount, one.tax) for one in credited) > left:
        raise CreditExceedsInvoice(f"With its tax, {max(left, ZERO)} {currency} is left of this invoice")
    return credited


def _asked(line: BilledLine, amounts: Mapping[str, Decimal] | None) -> Decimal:
    if amounts is None:
        return line.left
    amount = amounts.get(line.id, ZERO)
    if amount > max(line.left, ZERO):
        raise CreditExceedsLine(f"Of line {line.id}, {max(line.left, ZERO)} is left to take back")
    return amount


def _credited(line: BilledLine, amount: Decimal, currency: str) -> CreditedLine:
    so_far = Fraction(add(line.credited, amount)) / Fraction(line.net)
    tax = round_to_currency(share(line.tax, so_far), currency)
    return CreditedLine(line.id, amount, subtract(tax, line.credited_tax))


def _credited_per_rate(lines: Sequence[BilledLine], asked: Mapping[str, Decimal], currency: str) -> list[CreditedLine]:
    """Return the lines of a note of an invoice whose tax was computed per rate.

    With this note, the tax of a rate that notes gave back is the rounded sum of its lines' shares. Each line's is
    within a minor unit of its own share, and never turns around.
    """
    taxes: dict[str, Decimal] = {}
    for rate in {one.tax_rate for one in lines}:
        of_rate = [one for one in lines if one.tax_rate == rate]
        exact = {one.id: _share_of_tax(one, asked[one.id]) for one in of_rate}
        now = [one for one in of_rate if asked[one.id]]
        before = total(one.credited_tax for one in of_rate)
        whole = subtract(round_to_currency(total(exact.values()), currency), before)
        wanted = [subtract(exact[one.id], one.credited_tax) for one in now]
        bounds = [_bounds(one, exact[one.id], currency) for one in now]
        for one, tax in zip(now, spread(whole, wanted, bounds, currency=currency), strict=True):
            taxes[one.id] = tax
    return [CreditedLine(one.id, asked[one.id], taxes[one.id]) for one in lines if asked[one.id]]


def _share_of_tax(line: BilledLine, amount: Decimal) -> Decimal:
    return share(line.tax, Fraction(add(line.credited, amount)) / Fraction(line.net)) if line.net else ZERO


def _bounds(line: BilledLine, exact: Decimal, currency: str) -> tuple[Decimal, Decimal]:
    low, high = (subtract(one, line.credited_tax) for one in down_and_up(exact, currency))
    return (max(low, ZERO), max(high, ZERO)) if line.tax >= 0 else (min(low, ZERO), min(high, ZERO))
