from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.facade import record_audit
from agents.models import CostRate
from kernel.errors import ConflictError, FieldError, InvalidError


class CostRateExists(ConflictError):
    code = "cost_rate_exists"


class CostRateInvalid(InvalidError):
    code = "cost_rate_invalid"


def create_cost_rate(
    *, organization_id: int | None, effective_from: datetime, actor: str, currency: str = "USD", provider: str = "",
    model: str = "", hardware: str = "", input_per_million: Decimal | None = None,
    cached_input_per_million: Decimal | None = None, cache_write_per_million: Decimal | None = None,
    output_per_million: Decimal | None = None, compute_second: Decimal | None = None, source: str = "manual",
) -> CostRate:  # fmt: skip
    """What such calls cost from a full hour on, earlier ones included where it lies in the past.

    Raises `CostRateInvalid`, or `CostRateExists` where there is one for the same calls from the same hour on.
    """
    errors = []
    if not (provider or model or hardware):
        errors.append(FieldError("/model", "required", "Say what it is for: a provider, a model or a hardware class"))
    if {input_per_million, output_per_million, compute_second} == {None}:
        errors.append(FieldError("/input_per_million", "required", "A rate has at least one price"))
    if effective_from.astimezone(UTC).replace(minute=0, second=0, microsecond=0) != effective_from:
        errors.append(FieldError("/effective_from", "not_a_full_hour", "Rates change at a full hour of UTC"))
    if errors:
        raise CostRateInvalid("This rate cannot be used", errors=errors)
    try:
        with transaction.atomic():
            rate = CostRate.objects.create(
                organization_id=organization_id, effective_from=effective_from, currency=currency, provider=provider,
                model=model, hardware=hardware, input_per_million=input_per_million,
                cached_input_per_million=cached_input_per_million, cache_write_per_million=cache_write_per_million,
                output_per_million=output_per_million, compute_second=compute_second, source=source,
            )  # fmt: skip
    except IntegrityError:
        raise CostRateExists("There is a rate for these calls from this hour on already") from None
    if organization_id is not None:
        record_audit(organization_id=organization_id, actor=actor, action="cost_rate.create", target=rate.pk)
    return rate
