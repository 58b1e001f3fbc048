"""Releasing and discarding events in quarantine: once, with an entry in the audit trail."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from accounts.facade import record_audit, sender
from kernel.errors import InvalidError
from kernel.keys import customer_key_refusal
from metering.contracts import QuarantineDecided
from metering.decoding import number_fault
from metering.domain.faults import subject_fault
from metering.models import QuarantinedEvent, QuarantineState
from metering.notifications import announcing
from metering.queries.meters import numeric_paths
from metering.queries.quarantine import get_quarantined_event, quarantined_events
from metering.services.named_usage import note_day
from metering.services.partitions import make_partitions
from metering.services.protection import protection_of

# The data is copied by the database: its numbers stay the very numbers.
_RELEASE = """
INSERT INTO metering_usageevent (identity, time, organization_id, source, event_id, type, subject, received_at, data,
    sent_by, subscription)
SELECT identity, time, organization_id, source, event_id, type, %s, received_at, data, sent_by, subscription
FROM metering_quarantinedevent WHERE id = %s
"""


@announcing
def release_event(*, organization_id: int, event: str, at: datetime, customer: str | None = None) -> QuarantinedEvent:
    """Put an event in quarantine into the log, as it was sent; from then on it counts, at its own time.

    `customer` is the key of the customer to count it for, where it names none or one that cannot be. Where its period
    is billed it is late usage. Released again, nothing happens.

    Raises `NotFoundError`, `QuarantineDecided` for one that was discarded, and `InvalidError` for a customer that
    cannot be or is missing, and for a value that a meter cannot count.
    """
    found = get_quarantined_event(organization_id=organization_id, event=event)
    fault = subject_fault(found.subject)
    if customer is None and fault is not None and found.state == QuarantineState.QUARANTINED:
        raise InvalidError(f"{fault.detail} Give the customer to count it for", code="customer_required")
    if customer is not None and (refusal := customer_key_refusal(customer)) is not None:
        raise InvalidError(f"This can never be a customer's key: {refusal}", code="customer_invalid")
    for event_type, path in numeric_paths(organization_id):
        if event_type == found.type and (fault := number_fault(found.data, path)) is not None:
            raise InvalidError(fault.detail, code=fault.code)
    make_partitions([found.time], now=at)
    with transaction.atomic():
        held = _held(organization_id, event)
        if held.state == QuarantineState.RELEASED:
            return held
        if held.state == QuarantineState.DISCARDED:
            raise QuarantineDecided("The event was discarded. Send it with another id to count it")
        subject = customer or held.subject
        subject = protection_of(organization_id).aliases.get(subject or "", subject)
        with connection.cursor() as cursor:
            cursor.execute(_RELEASE, [subject, held.pk])
        if held.subscription is not None:
            note_day(organization_id, subject, held.subscription, held.time)
        _decide(held, QuarantineState.RELEASED, at, customer=subject)
    return held


def discard_event(*, organization_id: int, event: str, at: datetime) -> QuarantinedEvent:
    """Decide that an event in quarantine never counts. It stays listed, and sent again it is a duplicate.

    Discarded again, nothing happens. Raises `NotFoundError`, and `QuarantineDecided` for one that was released.
    """
    with transaction.atomic():
        held = _held(organization_id, event)
        if held.state == QuarantineState.RELEASED:
            raise QuarantineDecided("The event was released. Void it to take it back")
        if held.state == QuarantineState.QUARANTINED:
            _decide(held, QuarantineState.DISCARDED, at)
    return held


def discard_voided(
    *, organization_id: int, identity: UUID, reason: str, at: datetime
) -> tuple[QuarantinedEvent | None, bool]:
    """Discard an event in quarantine because it is voided, in the caller's transaction, who writes the audit trail.

    Answers the event and whether it was discarded now; None for one that is not in quarantine or was released.
    """
    rows = quarantined_events(organization_id).select_for_update()
    held = rows.filter(identity=identity).exclude(state=QuarantineState.RELEASED).first()
    if held is None or held.state == QuarantineState.DISCARDED:
        return held, False
    held.decision_reason = reason
    _set_state(held, QuarantineState.DISCARDED, at)
    return held, True


def _held(organization_id: int, event: str) -> QuarantinedEvent:
    rows = quarantined_events(organization_id).select_for_update()
    return get_quarantined_event(organization_id=organization_id, event=event, rows=rows)


def _decide(held: QuarantinedEvent, state: QuarantineState, at: datetime, customer: str | None = None) -> None:
    _set_state(held, state, at)
    action = "release" if state == QuarantineState.RELEASED else "discard"
    record_audit(
        organization_id=held.organization_id,
        action=f"quarantined_event.{action}",
        target=held.pk,
        about=customer or held.subject,
        source=held.source,
        event=held.event_id,
        code=held.reason,
        customer=customer,
    )


def _set_state(held: QuarantinedEvent, state: QuarantineState, at: datetime) -> None:
    held.state, held.decided_at, held.decided_by = state, at, sender()
    held.save(update_fields=["state", "decided_at", "decided_by", "decision_reason"])
