"""How much of an invoice's lines a credit note takes back, with the tax that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.domain.pricing.exact import ZERO, add, share, subtract, total
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
    lines: Sequence[BilledLine], amounts: Mapping[str, Decimal] | None, *, currency: str
) -> list[CreditedLine]:
    """What a credit note takes back: `amounts` by line, or all that is left of every line.

    Tax goes in proportion. It is rounded on what was taken back so far and now together, so that however many notes
    take a line back, none of its tax is lost and none given back twice. Raises `CreditExceedsLine`,
    `CreditExceedsInvoice`, `NothingToCredit`.
    """
    credited = [_credited(one, _asked(one, amounts), currency) for one in lines if _asked(one, amounts)]
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
