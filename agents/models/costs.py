"""What models and machines cost the vendor, with the hour from which each price is in force."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.ids import new_id
from rest.columns import ExactDecimalField


def cost_rate_id() -> str:
    return new_id("rat")


class CostRate(models.Model):
    """What a call costs from `effective_from` (a full hour, UTC) until the next rate with the same key.

    The key is (`organization`, `provider`, `model`, `hardware`). No organization is every organization, and "" is
    any. A `model` that ends in `*` is every model whose name begins so. Token prices are for a million tokens.
    Without a price of its own, a cached token costs what an input token costs, and one written to a cache too.
    """

    id = models.CharField(max_length=30, primary_key=True, default=cost_rate_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE, null=True, blank=True)
    provider = models.CharField(max_length=128, blank=True)
    model = models.CharField(max_length=255, blank=True)
    hardware = models.CharField(max_length=128, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    input_per_million = ExactDecimalField(null=True, blank=True)
    cached_input_per_million = ExactDecimalField(null=True, blank=True)
    cache_write_per_million = ExactDecimalField(null=True, blank=True)
    output_per_million = ExactDecimalField(null=True, blank=True)
    compute_second = ExactDecimalField(null=True, blank=True)
    effective_from = models.DateTimeField()
    source = models.CharField(max_length=100, default="manual", help_text="who says so")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "provider", "model", "hardware", "effective_from"],
                nulls_distinct=False,
                name="one_cost_rate_at_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(provider="") | ~Q(model="") | ~Q(hardware=""), name="cost_rate_of_something"
            ),
        ]
        indexes = [models.Index(fields=["model"], name="cost_rate_by_model")]

    def __str__(self) -> str:
        return f"{self.provider or 'any'} {self.model or self.hardware or 'any'} from {self.effective_from:%Y-%m-%d}"
