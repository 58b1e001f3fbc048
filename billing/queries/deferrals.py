"""What of a line's revenue is deferred, and over which days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from billing.domain.deferrals import Deferral
from billing.models import DeferredRevenue


def deferrals_of(lines: Iterable[str]) -> dict[str, list[Deferral]]:
    """The deferrals of invoice lines (ids), by line, of those that have any; negative ones take back."""
    found: dict[str, list[Deferral]] = defaultdict(list)
    rows = DeferredRevenue.objects.filter(line__in=list(lines)).order_by("id")
    for line, amount, starts_on, ends_on in rows.values_list("line", "amount", "starts_on", "ends_on"):
        found[line].append(Deferral(line, amount, starts_on, ends_on))
    return found
