"""No two plans of a customer charge the same usage of a meter."""

from __future__ import annotations

from collections.abc import Iterator

from billing.invariants.violation import Violation
from billing.subscriptions.overlaps import running_overlaps
from kernel.clock import system_clock


def violations(organization_id: int) -> Iterator[Violation]:
    for one in running_overlaps(organization_id, system_clock()):
        first, second = one.first, one.second
        yield Violation(
            first.subscription.pk,
            f"{first.subscription.customer.key}: the price {first.price.key!r} of {first.version.plan.key!r} and "
            f"{second.price.key!r} of {second.version.plan.key!r} ({second.subscription.pk}) both charge usage from "
            f"{one.period.start:%Y-%m-%dT%H:%M:%SZ}",
        )
