from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet

from agents.domain.costs import Rate, RateTable
from agents.models import CostRate

_FIELDS = (
    "provider", "model", "hardware", "currency", "effective_from", "input_per_million", "cached_input_per_million",
    "cache_write_per_million", "output_per_million", "compute_second",
)  # fmt: skip


def rate_table(*, organization_id: int, models: Collection[str]) -> RateTable:
    """All that is needed to price calls of `models`: what holds for the organization and for everyone. One query."""
    # Rates for names that begin so are looked up by every beginning of the names there are.
    beginnings = {f"{model[:length]}*" for model in models for length in range(len(model) + 1)}
    found = CostRate.objects.filter(
        Q(organization_id=organization_id) | Q(organization=None), model__in={*models, "", *beginnings}
    ).order_by()
    return RateTable(
        Rate(**{name: getattr(rate, name) for name in _FIELDS}, is_own=rate.organization_id is not None)
        for rate in found
    )


def cost_rates_of(organization_id: int) -> QuerySet[CostRate]:
    """The organization's own rates and everyone's, in the order in which they were entered."""
    return CostRate.objects.filter(Q(organization_id=organization_id) | Q(organization=None)).order_by("id")
