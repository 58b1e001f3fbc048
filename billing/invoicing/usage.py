"""The usage that bills are priced from, read for all of them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.invoicing.parts import Part, UsageKey
from billing.models import Subscription
from billing.subscriptions.models import UsageMode
from kernel.errors import TaximeterError
from kernel.money import EXACT
from kernel.period import Period
from metering.facade import MeterVersion, UsageQuestion, UsageRow, definition_of, named_days, usage_of_version


@dataclass(frozen=True, slots=True)
class UsageRead:
    """What was read for all: rows by question and customer, and the questions that have no answer."""

    rows: Mapping[Asked, list[UsageRow]]
    failures: Mapping[UsageKey, TaximeterError]
    naming: Naming

    def of(self, part: Part) -> list[UsageRow]:
        """The rows of a part; raises what kept its question from being answered."""
        assert part.usage is not None
        if part.usage in self.failures:
            raise self.failures[part.usage]
        return self.rows.get(self.naming.asked(part), [])


#: A question, the customer it is asked for, and the subscription where its own usage is asked for.
Asked = tuple[UsageKey, str, str | None]


class Naming:
    """Which of some customers' usage is to be told apart by subscription, since their events name them."""

    def __init__(self, organization_id: int, customers: Iterable[str]) -> None:
        self._days: dict[str, list[date]] = {
            customer: sorted({day for days in of_names.values() for day in days})
            for customer, of_names in named_days(organization_id, sorted(set(customers))).items()
        }

    def asked(self, part: Part) -> Asked:
        """What is asked for a part: the usage of its customer, or of its subscription alone."""
        assert part.usage is not None
        subscription, customer = part.subscription, part.subscription.customer.key
        is_own = subscription.usage == UsageMode.NAMED or self._names_within(customer, part.usage.period)
        return part.usage, customer, subscription.pk if is_own else None

    def _names_within(self, customer: str, period: Period) -> bool:
        first, last = period.start.date(), (period.end - timedelta(microseconds=1)).date()
        return any(first <= day <= last for day in self._days.get(customer, ()))


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
    return UsageRead(rows, read.failures, read.naming)


def _grown(row: UsageRow, period: Period, now: datetime) -> UsageRow:
    if not period.start < now < period.end:
        return row
    factor = EXACT.divide(_seconds(period.end - period.start), _seconds(now - period.start))
    quantity = EXACT.multiply(row.quantity, factor).quantize(_PLACES, context=EXACT)
    return replace(row, quantity=quantity, events=int(row.events * factor))


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1)) or Decimal(1)


def read_usage(parts: Sequence[Part], versions: Mapping[int, MeterVersion]) -> UsageRead:
    """What the parts ask for: one statement per meter version, period and filter; `versions` by their ids. Where a
    customer's events name subscriptions, one for each subscription, which reads the log."""
    asking = [part for part in parts if part.usage is not None]
    if not asking:
        return UsageRead({}, {}, Naming(0, ()))
    organization_id = asking[0].subscription.organization_id
    naming = Naming(organization_id, (part.subscription.customer.key for part in asking))
    shared: dict[UsageKey, set[str]] = defaultdict(set)
    own: dict[tuple[UsageKey, str], Subscription] = {}
    for part in asking:
        key, customer, subscription = naming.asked(part)
        if subscription is None:
            shared[key].add(customer)
        else:
            own[key, subscription] = part.subscription
    questions: list[tuple[UsageKey, str | None, UsageQuestion]] = []
    for key, customers in shared.items():
        questions.append((key, None, _question(key, versions, customers)))
    for (key, pk_of_one), one in own.items():
        unnamed = one.usage == UsageMode.ANY
        question = replace(_question(key, versions, {one.customer.key}), names=one.names, unnamed=unnamed)
        questions.append((key, pk_of_one, question))
    rows: dict[Asked, list[UsageRow]] = defaultdict(list)
    failures: dict[UsageKey, TaximeterError] = {}
    for key, pk, question in questions:
        try:
            found = usage_of_version(versions[key.meter_version_id], question)
        except TaximeterError as error:
            failures[key] = error
            continue
        for row in found:
            assert row.customer is not None
            rows[key, row.customer, pk].append(row)
    return UsageRead(rows, failures, naming)


def _question(key: UsageKey, versions: Mapping[int, MeterVersion], customers: Iterable[str]) -> UsageQuestion:
    meter = versions[key.meter_version_id].meter
    return UsageQuestion(
        organization_id=meter.organization_id,
        meter=meter.key,
        period=key.period,
        customers=tuple(sorted(customers)),
        by_customer=True,
        group_by=key.group_by,
        where=dict(key.where),
    )
