"""What a plan comes to against how much is used: points of a curve, each worked out as an invoice line is.

Between two points that follow each other the exact sum is a straight line, up to `_DEPTH` halvings where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from billing.rating.pricing import PricingModel
from billing.rating.pricing.exact import ZERO, add, begun, multiply, subtract, total
from billing.rating.pricing.graduated import Graduated
from billing.rating.pricing.graduated_percentage import GraduatedPercentage
from billing.rating.pricing.matrix import Matrix
from billing.rating.pricing.package import Package
from billing.rating.pricing.percentage import Percentage
from billing.rating.pricing.values import Group, GroupUsage, Usage
from billing.rating.pricing.volume import Volume
from billing.rating.rate import PriceTerms, rate
from kernel.errors import InvalidError
from kernel.money import EXACT

#: What has more steps than this is drawn as a line through some of its points.
_MOST_STEPS = 200
_EVEN = 10
_DEPTH = 5
#: "Just over": the point after a step lies so much of the whole width behind it.
_JUST = Decimal("0.000000001")
_TOLERANCE = Decimal("0.000000001")


class CurveInvalid(InvalidError):
    """No curve can be drawn of this."""

    code = "curve_invalid"


@dataclass(frozen=True, slots=True)
class CurvePrice:
    """A price of the plan: `meter` is the key of what it counts, `filter` what of it, None and empty for a fee."""

    terms: PriceTerms
    meter: str | None = None
    filter: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is taken for granted while one meter's usage grows: the seats, the other meters' usage, and how much of a
    quantity one event is (for prices that charge by the event too)."""

    seats: Decimal = Decimal(1)
    usage: Mapping[str, Decimal] = field(default_factory=dict)
    event_size: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Point:
    """`amount` is what an invoice over one whole period says at this usage, before tax. `just_over` where usage has
    only just passed a step."""

    quantity: Decimal
    amount: Decimal
    just_over: bool = False


def draw_curve(
    prices: Sequence[CurvePrice],
    *,
    meter: str,
    up_to: Decimal,
    currency: str,
    commitment: Decimal = ZERO,
    assumed: Assumed | None = None,
    at: Mapping[Decimal, bool] | None = None,
) -> list[Point]:
    """The points from no usage of `meter` to `up_to` of it, in order. `CurveInvalid` where there is nothing to draw,
    and what `rate` raises.

    `at` are the quantities of another curve (and whether they are just over a step): both then have the same, and no
    others.
    """
    if not 0 < up_to <= Decimal(10) ** 15:
        raise CurveInvalid("Usage is drawn up to more than nothing, and at most 10^15")
    plan = _Plan(tuple(prices), meter, currency, commitment, assumed or Assumed())
    if at is not None:
        return [Point(x, plan.billed(x), is_over) for x, is_over in sorted(at.items())]
    just = multiply(up_to, _JUST)
    marks: dict[Decimal, bool] = {multiply(up_to, Decimal(i) / _EVEN): False for i in range(_EVEN + 1)}
    for edge in plan.edges(up_to):
        if ZERO <= edge < up_to:
            marks[edge] = False
            marks.setdefault(add(edge, just), True)
    found = [(x, plan.exact(x), is_over) for x, is_over in sorted(marks.items())]
    bent: list[tuple[Decimal, Decimal, bool]] = [found[0]]
    for before, after in pairwise(found):
        if plan.has_limits and not after[2]:
            bent += plan.bends(before, after, _DEPTH)
        bent.append(after)
    return [Point(x.normalize(EXACT) + 0, plan.billed(x), is_over) for x, _, is_over in bent]


@dataclass(frozen=True, slots=True)
class _Plan:
    prices: tuple[CurvePrice, ...]
    meter: str
    currency: str
    commitment: Decimal
    assumed: Assumed

    @property
    def has_limits(self) -> bool:
        """Whether anything bends the curve elsewhere than at an edge."""
        terms = [one.terms for one in self.prices]
        limits = any(one.minimum is not None or one.maximum is not None for one in terms)
        return limits or bool(self.commitment) or any(one.included and isinstance(one.model, Matrix) for one in terms)

    def exact(self, quantity: Decimal) -> Decimal:
        return self._sum(quantity, billed=False)

    def billed(self, quantity: Decimal) -> Decimal:
        return self._sum(quantity, billed=True)

    def _sum(self, quantity: Decimal, *, billed: bool) -> Decimal:
        lines = [rate(one.terms, self._usage(one, quantity), currency=self.currency) for one in self.prices]
        return max(total(line.amount if billed else line.amount_exact for line in lines), self.commitment)

    def _usage(self, price: CurvePrice, quantity: Decimal) -> Usage:
        if price.terms.kind == "seat":
            return Usage(self.assumed.seats)
        if price.meter is None:
            return Usage(Decimal(1))
        of_meter = quantity if price.meter == self.meter else self.assumed.usage.get(price.meter, ZERO)
        mine = _even(of_meter, len(self._filters(price.meter)))
        events = int(begun(mine, self.assumed.event_size)) if mine else 0
        return Usage(mine, events, _groups(price.terms.model, mine))

    def _filters(self, meter: str) -> set[tuple[tuple[str, str], ...]]:
        """What parts of a meter's usage have prices of their own: each is taken to be as large as the others."""
        return {one.filter for one in self.prices if one.meter == meter}

    def edges(self, up_to: Decimal) -> Iterator[Decimal]:
        """Where a price of the meter may jump or bend by what its model says."""
        for one in self.prices:
            if one.meter == self.meter:
                times = Decimal(len(self._filters(self.meter)))
                for edge in _edges(one.terms, up_to / times, self.assumed.event_size):
                    yield multiply(edge, times)

    def bends(
        self, before: tuple[Decimal, Decimal, bool], after: tuple[Decimal, Decimal, bool], depth: int
    ) -> list[tuple[Decimal, Decimal, bool]]:
        """Points between two others where the curve is not straight: a minimum, a maximum or a commitment is met."""
        left, right = before[0], after[0]
        middle = _near((left + right) / 2, right - left)
        here = self.exact(middle)
        if depth == 0 or not left < middle < right or abs(here * 2 - before[1] - after[1]) <= _TOLERANCE:
            return []
        at = middle
        if (crossing := self._crossing(before, after)) is not None and left < crossing < right:
            at = crossing
        point = (at, self.exact(at), False)
        return [*self.bends(before, point, depth - 1), point, *self.bends(point, after, depth - 1)]

    def _crossing(self, before: tuple[Decimal, Decimal, bool], after: tuple[Decimal, Decimal, bool]) -> Decimal | None:
        """Where the line that leaves `before` meets the line that comes to `after`."""
        width = after[0] - before[0]
        step = width / 1000
        rises = (self.exact(before[0] + step) - before[1]) / step
        comes = (after[1] - self.exact(after[0] - step)) / step
        if abs(rises - comes) <= _TOLERANCE:
            return None
        return _near(before[0] + (after[1] - before[1] - comes * width) / (rises - comes), width)


def _near(value: Decimal, width: Decimal) -> Decimal:
    """`value` with no more digits than a curve of this width can show."""
    places = max(0, 6 - width.adjusted())
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=EXACT)


def _even(quantity: Decimal, parts: int) -> Decimal:
    """One of `parts` equal shares, to 12 digits behind the point."""
    return quantity if parts <= 1 else (quantity / parts).quantize(Decimal("1e-12"), context=EXACT)


def _groups(model: PricingModel, quantity: Decimal) -> tuple[GroupUsage, ...]:
    """Usage of a matrix price spread evenly over its cells, and over what no cell names where that has a price."""
    if not isinstance(model, Matrix):
        return ()
    groups: list[Group] = [tuple(cell.where) for cell in model.cells]
    if model.default_unit_amount is not None:
        groups.append(())
    share = _even(quantity, len(groups))
    shares = [share] * (len(groups) - 1)
    shares.append(subtract(quantity, total(shares)))
    return tuple(GroupUsage(group, part) for group, part in zip(groups, shares, strict=True))


def _edges(terms: PriceTerms, up_to: Decimal, event_size: Decimal) -> Iterator[Decimal]:
    model, included = terms.model, terms.included
    if included:
        yield included
    if isinstance(model, Graduated | Volume | GraduatedPercentage):
        yield from (add(tier.up_to, included) for tier in model.tiers[:_MOST_STEPS] if tier.up_to is not None)
    if isinstance(model, Package):
        yield from _every(add(included, model.free_units), model.package_size, up_to)
    if isinstance(model, Percentage):
        yield add(included, model.free_units)
        if model.fixed_amount:
            yield from _every(included, event_size, up_to)


def _every(start: Decimal, size: Decimal, up_to: Decimal) -> Iterator[Decimal]:
    """The edges of packages; none where there are too many to be told apart."""
    if (up_to - start) / size > _MOST_STEPS:
        return
    edge = start
    while edge < up_to:
        yield edge
        edge = add(edge, size)
