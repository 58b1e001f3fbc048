"""The usage that bills are priced from, read for all of them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.queries.parts import Part, UsageKey
from kernel.errors import TaximeterError
from metering.facade import MeterVersion, UsageQuestion, UsageRow, usage_of_version


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
