"""The usage that bills are priced from, read for all of them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from billing.queries.parts import Part, UsageKey
from kernel.errors import TaximeterError
from kernel.money import EXACT
from kernel.period import Period
from metering.facade import MeterVersion, UsageQuestion, UsageRow, definition_of, usage_of_version


@dataclass(frozen=True, slots=True)
class UsageRead:
    """What was read for all: rows by question and customer, and the questions that have no answer."""

    rows: Mapping[tuple[UsageKey, str], list[UsageRow]]
    failures: Mapping[UsageKey, TaximeterError]

    def of(self, part: Part) -> list[UsageRow]:
        """The rows of a part; raises what kept its question from being answered."""
        assert part.usage is not None
        if part.usage in self.failures:
            raise self.failures[part.usage]
        return self.rows.get((part.usage, part.subscription.customer.key), [])


_ADDED_UP = frozenset({"sum", "count"})
_PLACES = Decimal("0.000001")


def foreseen(read: UsageRead, versions: Mapping[int, MeterVersion], now: datetime) -> UsageRead:
    """What periods that are under way come to if they go on as up to `now`: a straight line.

    Only of meters that add up. A highest, latest, average or distinct count stays what it is.
    """
    rows = {
        key: [_grown(row, key[0].period, now) for row in found]
        if definition_of(versions[key[0].meter_version_id]).aggregation in _ADDED_UP
        else found
        for key, found in read.rows.items()
    }
    return UsageRead(rows, read.failures)


def _grown(row: UsageRow, period: Period, now: datetime) -> UsageRow:
    if not period.start < now < period.end:
        return row
    factor = EXACT.divide(_seconds(period.end - period.start), _seconds(now - period.start))
    quantity = EXACT.multiply(row.quantity, factor).quantize(_PLACES, context=EXACT)
    return replace(row, quantity=quantity, events=int(row.events * factor))


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1)) or Decimal(1)


def read_usage(parts: Sequence[Part], versions: Mapping[int, MeterVersion]) -> UsageRead:
    """What the parts ask for: one statement per meter version, period and filter; `versions` by their ids."""
    customers: dict[UsageKey, set[str]] = defaultdict(set)
    for part in parts:
        if part.usage is not None:
            customers[part.usage].add(part.subscription.customer.key)
    rows: dict[tuple[UsageKey, str], list[UsageRow]] = defaultdict(list)
    failures: dict[UsageKey, TaximeterError] = {}
    for key, names in customers.items():
        version = versions[key.meter_version_id]
        question = UsageQuestion(
            organization_id=version.meter.organization_id,
            meter=version.meter.key,
            period=key.period,
            customers=tuple(sorted(names)),
            by_customer=True,
            group_by=key.group_by,
            where=dict(key.where),
        )
        try:
            found = usage_of_version(version, question)
        except TaximeterError as error:
            failures[key] = error
            continue
        for row in found:
            assert row.customer is not None
            rows[key, row.customer].append(row)
    return UsageRead(rows, failures)
