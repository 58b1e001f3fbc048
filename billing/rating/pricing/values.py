"""What a pricing model is given (usage) and what it gives back (a charge with its breakdown)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NoReturn

from billing.rating.pricing.exact import add, plain, total
from kernel.errors import FieldError, InvalidError
from kernel.money import EXACT, decimal_from

#: The largest amount or quantity that is taken for one.
LARGEST = Decimal(10) ** 18
#: Decimal places of a price, an amount, a rate or the size of a tier.
PRICE_PLACES = 12
#: Decimal places of a quantity: usage is a sum of what clients measured, so it may be finer than a price.
QUANTITY_PLACES = 30

#: A frozen group of usage: (dimension, value) pairs in order of dimension. None is usage without that dimension.
Group = tuple[tuple[str, str | None], ...]


class UsageInvalid(InvalidError):
    """No model can price this usage; `errors` point into it (`/quantity`, `/events`, `/groups/0/quantity`)."""

    code = "usage_invalid"


class UnpricedUsage(InvalidError):
    """There is usage that the pricing model has no price for. It is never taken for free."""

    code = "usage_not_priced"


def group_of(values: Mapping[str, str | None]) -> Group:
    """`values` frozen, so that equal groups are equal values."""
    return tuple(sorted(values.items(), key=lambda item: item[0]))


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """The quantity of one group."""

    group: Group
    quantity: Decimal

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", _quantity(self.quantity, "/quantity"))


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in a period: a quantity, in units of its meter.

    `events` is the number of usage events (a percentage price may charge for each). `groups` split
    the quantity by dimension (a matrix price needs them) and sum to it. Raises `UsageInvalid` for a
    negative or absurd quantity, and for groups that do not sum to it.
    """

    quantity: Decimal
    events: int | None = None
    groups: tuple[GroupUsage, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantity", _quantity(self.quantity, "/quantity"))
        if self.events is not None and self.events < 0:
            _refuse("/events", "negative", "a number of events cannot be negative")
        if self.groups:
            summed = total(part.quantity for part in self.groups)
            if summed != self.quantity:
                detail = f"the groups sum to {plain(summed)}, not to {plain(self.quantity)}"
                _refuse("/groups", "groups_do_not_sum", detail)

    @classmethod
    def by_group(cls, parts: Iterable[tuple[Mapping[str, str | None], Decimal]], *, events: int | None = None) -> Usage:
        """Usage whose quantity is the sum of `parts`: (group, quantity) pairs."""
        groups = tuple(GroupUsage(group_of(group), quantity) for group, quantity in parts)
        return cls(total(part.quantity for part in groups), events, groups)


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """A part of a charge: the units after `from_` up to and including `to`.

    Always `quantity` = `to` - `from_`, and `amount` = `quantity` x `unit_amount` + `flat_amount`
    (`unit_amount` is None where the price is not by the unit). `group` is a matrix price's.
    `reason` marks a row that no unit made: what a minimum, a maximum or proration adds or takes, what was
    charged in advance, and what credit grants of the pricing unit paid.
    """

    from_: Decimal
    to: Decimal
    quantity: Decimal
    unit_amount: Decimal | None
    flat_amount: Decimal
    amount: Decimal
    group: Group | None = None
    reason: Literal["minimum", "maximum", "proration", "charged_in_advance", "credits"] | None = None

    def to_json(self) -> dict[str, object]:
        """As the API shows it; `group` and `reason` only where there is one."""
        row: dict[str, object] = {
            "from": plain(self.from_),
            "to": plain(self.to),
            "quantity": plain(self.quantity),
            "unit_amount": None if self.unit_amount is None else plain(self.unit_amount),
            "flat_amount": plain(self.flat_amount),
            "amount": plain(self.amount),
        }
        if self.group is not None:
            row["group"] = dict(self.group)
        if self.reason is not None:
            row["reason"] = self.reason
        return row


@dataclass(frozen=True, slots=True)
class Charge:
    """What usage costs, exactly (nothing is rounded yet). The breakdown's amounts sum to `amount`."""

    amount: Decimal
    breakdown: tuple[BreakdownRow, ...]

    @classmethod
    def of(cls, rows: Iterable[BreakdownRow]) -> Charge:
        breakdown = tuple(rows)
        return cls(total(row.amount for row in breakdown), breakdown)

    def plus(self, row: BreakdownRow) -> Charge:
        """This charge with one more row."""
        return Charge(add(self.amount, row.amount), (*self.breakdown, row))


def _quantity(value: Decimal, pointer: str) -> Decimal:
    try:
        quantity = decimal_from(value)
    except ValueError as error:
        _refuse(pointer, "number_invalid", str(error))
    if quantity < 0:
        detail = "a quantity cannot be negative; price the corrected usage and bill the difference"
        _refuse(pointer, "negative", detail)
    if quantity > LARGEST:
        _refuse(pointer, "out_of_range", f"a quantity is at most {LARGEST}")
    if quantity != quantity.quantize(Decimal(1).scaleb(-QUANTITY_PLACES), context=EXACT):
        _refuse(pointer, "too_many_decimals", f"a quantity has at most {QUANTITY_PLACES} decimal places")
    return quantity


def _refuse(pointer: str, code: str, detail: str) -> NoReturn:
    raise UsageInvalid(detail, errors=[FieldError(pointer, code, detail)])
