from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cached_property

from django.db.models import Q, QuerySet

from agents.domain.costs import Rate, RateTable
from agents.models import CostRate
from kernel.period import Period
from rest.statements import run

_FIELDS = (
    "provider", "model", "hardware", "currency", "effective_from", "input_per_million", "cached_input_per_million",
    "cache_write_per_million", "output_per_million", "compute_second",
)  # fmt: skip


_RATES = f"""
    SELECT {", ".join(_FIELDS)}, organization_id IS NOT NULL FROM agents_costrate
    WHERE (organization_id = %s OR organization_id IS NULL) AND model = ANY(%s)
"""  # noqa: S608 - names of ours


def rate_table(*, organization_id: int, models: Collection[str]) -> RateTable:
    """All that is needed to price calls of `models`: what holds for the organization and for everyone. One query."""
    # Rates for names that begin so are looked up by every beginning of the names there are.
    beginnings = {f"{model[:length]}*" for model in models for length in range(len(model) + 1)}
    found = run(_RATES, [organization_id, [*{*models, "", *beginnings}]])
    return RateTable(Rate(**dict(zip(_FIELDS, row[:-1], strict=True)), is_own=row[-1]) for row in found)


class RatesRead:
    """An organization's rates for whoever asks several questions one after the other: each is read once."""

    def __init__(self, organization_id: int) -> None:
        self.organization_id = organization_id
        self._models: frozenset[str] = frozenset()
        self._table = RateTable(())

    @cached_property
    def _changes(self) -> list[datetime]:
        begins = cost_rates_of(self.organization_id).order_by("effective_from")
        return list(begins.values_list("effective_from", flat=True).distinct())

    def changes(self, period: Period) -> list[datetime]:
        """When in the period any rate changes: between two of them a kind of call has one rate."""
        return [change for change in self._changes if period.start < change < period.end]

    def table(self, models: Collection[str]) -> RateTable:
        """Of these models and of those that were asked for before."""
        if not self._models.issuperset(models):
            self._models = self._models.union(models)
            self._table = rate_table(organization_id=self.organization_id, models=self._models)
        return self._table


def cost_rates_of(organization_id: int) -> QuerySet[CostRate]:
    """The organization's own rates and everyone's, in the order in which they were entered."""
    return CostRate.objects.filter(Q(organization_id=organization_id) | Q(organization=None)).order_by("id")
