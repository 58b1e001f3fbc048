from __future__ import annotations

from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet
from django.db.models.fields.json import KT

from inference.models import Model
from kernel.errors import NotFoundError
from metering.facade import UsageEvent


def models() -> list[Model]:
    """The whole catalogue by key, recalled models too: it is entered by hand, and short."""
    return list(Model.objects.defer("metadata", "manifest"))


def get_model(reference: str) -> Model:
    """The model with this key or digest; `NotFoundError` where there is none."""
    found = None
    if "\x00" not in reference:
        found = Model.objects.filter(digest=reference).first() or Model.objects.filter(key=reference).first()
    if found is None:
        raise NotFoundError(f"There is no model {reference!r}", code="model_not_found")
    return found


def tasks_of_model(*, organization_id: int, digest: str) -> QuerySet[Any, dict[str, Any]]:
    """The organization's tasks that a model worked on, first to last: `task_id`, `customer`, `calls`, `first_at`,
    `last_at`. Calls that belong to no task are together under None; calls taken back are not among them."""
    calls = UsageEvent.objects.filter(
        organization_id=organization_id, type="inference.call", data__model_digest=digest, correction__isnull=True
    )
    tasks: QuerySet[Any, Any] = (
        calls.values(task_id=KT("data__task_id"), customer=F("subject"))
        .annotate(calls=Count("*"), first_at=Min("time"), last_at=Max("time"))
        .order_by("first_at", "task_id", "customer")
    )
    return tasks
