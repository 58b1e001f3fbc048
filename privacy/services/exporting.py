"""Everything that is held about a customer, as one JSON document that is written while it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.facade import ApiKey, PortalAccess, audit_entries_of, present_audit_entry, record_audit
from agents.facade import TaskQuestion, TaskView, list_tasks
from billing.facade import (
    Customer,
    buyer_on,
    credit_notes_of,
    invoices_of,
    payments_of,
    person_of,
    present_credit_grant,
    present_credit_note,
    present_customer,
    present_invoice,
    present_payment,
    present_subscription,
    subscriptions_of,
)
from budgets.facade import budgets_of
from collection.facade import bank_transfers_of, paying_customer
from kernel.clock import to_rfc3339
from metering.facade import EventQuestion, list_events, present_event, present_quarantined, quarantined_events
from notifications.facade import messages_of
from rest.renderers import encode_json

_PAGE = 1_000


def export_customer(*, customer: Customer, now: datetime) -> Iterator[bytes]:
    """The pieces of a JSON object with all that is held about a customer, and about those merged into it.

    A thousand rows at a time are in memory, however long the history is. Writes an audit entry first.
    """
    record_audit(organization_id=customer.organization_id, action="customer.export", target=customer.pk)
    parts = _parts(customer, now)
    yield b"{"
    for number, (name, values) in enumerate(parts):
        yield (b"," if number else b"") + encode_json(name) + b":"
        yield from [encode_json(values)] if isinstance(values, dict | str) else _array(values)
    yield b"}"


def _array(values: Iterable[Any]) -> Iterator[bytes]:
    yield b"["
    for number, value in enumerate(values):
        yield (b"," if number else b"") + encode_json(value)
    yield b"]"


def _parts(customer: Customer, now: datetime) -> Iterator[tuple[str, dict[str, Any] | str | Iterator[Any]]]:
    organization_id, person = customer.organization_id, person_of(customer)
    ids, subjects = person.customers, person.subjects
    yield "exported_at", to_rfc3339(now)
    yield "customer", present_customer(customer)
    yield "merged_customers", _shown(Customer.objects.filter(merged_into=customer).order_by("id"), present_customer)
    subscriptions = subscriptions_of(organization_id).filter(customer__in=ids)
    yield "subscriptions", map(present_subscription, subscriptions)
    invoices = invoices_of(organization_id).filter(customer__in=ids).order_by("id")
    yield "invoices", (present_invoice(one) | {"buyer": buyer_on(one)} for one in _pages(invoices))
    payments = payments_of(organization_id).filter(invoice__customer__in=ids).order_by("id")
    yield "payments", map(present_payment, _pages(payments))
    notes = credit_notes_of(organization_id).filter(invoice__customer__in=ids).order_by("id")
    yield "credit_notes", map(present_credit_note, _pages(notes))
    yield "credit_grants", map(present_credit_grant, customer.credit_grants.order_by("id"))
    charges = customer.one_off_charges.order_by("id")
    yield "charges", iter(charges.values("id", "description", "currency", "quantity", "unit_amount", "created_at"))
    yield "payment_method", _payment_method(customer)
    transfers = bank_transfers_of(organization_id).filter(invoice__customer__in=ids).order_by("id")
    yield "bank_transfers", iter(transfers.values("id", "reference", "text", "amount", "currency", "received_at"))
    budgets = budgets_of(organization_id).filter(customer__in=ids).order_by("id")
    yield "budgets", iter(budgets.values("id", "key", "name", "amount", "period", "thresholds", "created_at"))
    accesses = PortalAccess.objects.filter(organization_id=organization_id, customer__in=ids).order_by("id")
    yield "portal_links", iter(accesses.values("id", "created_by", "created_at", "used_at", "session_expires_at"))
    keys = ApiKey.objects.filter(organization_id=organization_id, customer__in=subjects).order_by("id")
    yield "api_keys", iter(keys.values("id", "name", "hint", "scopes", "created_at", "revoked_at"))
    for name, messages in messages_of(person).items():
        yield name, iter(messages)
    entries = audit_entries_of(organization_id).filter(Q(target__in=[*ids, *person.things])).order_by("id")
    yield "audit_entries", map(present_audit_entry, entries.iterator(chunk_size=_PAGE))
    yield "tasks", _tasks(organization_id, subjects)
    yield "events", _events(organization_id, subjects)
    kept = quarantined_events(organization_id).filter(subject__in=subjects).order_by("id")
    yield "quarantined_events", map(present_quarantined, kept.iterator(chunk_size=_PAGE))


def _shown(rows: Any, present: Callable[[Any], Any]) -> Iterator[Any]:
    return map(present, rows)


def _pages(rows: Any) -> Iterator[Any]:
    """Rows in pages of their ids, with what they are read with."""
    last = ""
    while page := list(rows.filter(pk__gt=last)[:_PAGE]):
        yield from page
        last = page[-1].pk


def _payment_method(customer: Customer) -> dict[str, Any]:
    paying = paying_customer(customer)
    names = ("provider", "stripe_customer", "payment_method", "payment_method_hint")
    return {name: getattr(paying, name) for name in names}


def _tasks(organization_id: int, subjects: tuple[str, ...]) -> Iterator[Any]:
    for subject in subjects:
        cursor = None
        while True:
            question = TaskQuestion(organization_id=organization_id, customer=subject)
            tasks, cursor = list_tasks(question, limit=_PAGE, cursor=cursor)
            yield from map(_task, tasks)
            if cursor is None:
                break


def _task(view: TaskView) -> dict[str, Any]:
    totals = view.totals
    names = ("task_id", "agent", "goal", "started_at", "ended_at", "outcome", "turns", "decisions", "tool_calls")
    return {name: getattr(totals, name) for name in names}


def _events(organization_id: int, subjects: tuple[str, ...]) -> Iterator[Any]:
    for subject in subjects:
        cursor = None
        while True:
            question = EventQuestion(organization_id=organization_id, customer=subject)
            events, cursor = list_events(question, limit=_PAGE, cursor=cursor)
            yield from map(present_event, events)
            if cursor is None:
                break
