"""What waits to be told to a payment provider or handled of what it told, and what nobody knows the end of."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min
from django.db.models.functions import Coalesce

from collection.models import ProviderCall, ProviderEvent
from collection.models.calls import OPEN_STATES, CallState
from notifications.facade import Backlog

#: Counting ends here.
_MOST = 1000


def call_backlog(*, organization_id: int, now: datetime) -> Backlog:
    """Calls and events that should be done by now. `failed` counts calls of which nobody knows what became."""
    due = Coalesce("next_try_at", "created_at")
    calls = ProviderCall.objects.filter(organization_id=organization_id)
    overdue = calls.filter(state__in=OPEN_STATES).annotate(due_at=due).filter(due_at__lte=now)
    events = ProviderEvent.objects.filter(organization_id=organization_id, handled_at=None, next_try_at__lte=now)
    since = [overdue.aggregate(at=Min("due_at"))["at"], events.aggregate(at=Min("next_try_at"))["at"]]
    unknown = calls.filter(state=CallState.UNKNOWN).order_by()[:_MOST].count()
    return Backlog(min((at for at in since if at), default=None), unknown)
