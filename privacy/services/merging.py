"""Merging a customer into another one, so that its usage counts there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.facade import end_access, record_audit
from agents.facade import has_open_tasks
from billing.facade import (
    Customer,
    MergeConflict,
    announce_customer,
    billed_periods,
    mark_merged,
    merge_conflicts,
    person_of,
    waiting_charges,
)
from budgets.facade import has_budgets, has_open_reservations
from kernel.errors import ConflictError, FieldError, InvalidError
from metering.facade import all_know, merge_subject, move_events, uncovered_events, unsettled_aliases


class MergeRefused(ConflictError):
    """Something has to be settled before the customers can be merged; `errors` name everything."""

    code = "merge_refused"


@dataclass(frozen=True, slots=True)
class Merge:
    """What merging does, or would do: how many events and waiting charges go over, and what stands in the way.

    Events in times that the customer's own subscriptions bill stay: each event is charged once.
    """

    customer: Customer
    into: Customer
    events: int
    first_at: datetime | None
    last_at: datetime | None
    charges: int
    conflicts: Sequence[MergeConflict]
    is_done: bool


def preview_merge(*, customer: Customer, into: Customer, now: datetime) -> Merge:
    """What `merge_customers` would do now; changes nothing. Raises `InvalidError` with code `same_customer`."""
    if customer.pk == into.pk:
        raise InvalidError("A customer cannot be merged into itself", code="same_customer")
    events, first, last = uncovered_events(
        organization_id=customer.organization_id, subject=customer.key, covered=billed_periods(customer)
    )
    conflicts = _conflicts(customer, into, now)
    return Merge(customer, into, events, first, last, waiting_charges(customer), conflicts, is_done=False)


def merge_customers(*, customer: Customer, into: Customer, now: datetime) -> Merge:
    """Let the usage of `customer` count for `into`: events that none of its own subscriptions bill, and all that come
    from now on. Invoices, payments and ended subscriptions stay with it; its links into the portal end.

    Both or nothing; again, it changes nothing. Raises `MergeRefused`, and `InvalidError` with code `same_customer`.
    """
    with transaction.atomic():
        locked = {one.pk: one for one in _locked(customer, into)}
        customer, into = locked[customer.pk], locked[into.pk]
        if customer.merged_into_id == into.pk:
            return Merge(customer, into, 0, None, None, 0, (), is_done=True)
        asked = preview_merge(customer=customer, into=into, now=now)
        if asked.conflicts:
            raise MergeRefused(
                "; ".join(one.detail for one in asked.conflicts),
                code=asked.conflicts[0].code,
                errors=[FieldError("/into", one.code, one.detail) for one in asked.conflicts],
            )
        end_access(person_of(customer), now=now, revokes_keys=False)
        charges = mark_merged(customer=customer, into=into, now=now)
        events = merge_subject(
            organization_id=customer.organization_id,
            subject=customer.key,
            target=into.key,
            covered=billed_periods(customer),
            now=now,
        )
        customer.refresh_from_db()
        announce_customer("customer.merged", customer, at=now)
        record_audit(
            organization_id=customer.organization_id,
            action="customer.merge",
            target=customer.pk,
            into=into.pk,
            events=events,
            charges=charges,
        )
    return Merge(customer, into, events, asked.first_at, asked.last_at, charges, (), is_done=True)


def settle_merges(*, now: datetime) -> int:
    """Move events that requests wrote which had not heard of a merge yet; returns how many. Safe to run twice."""
    moved = 0
    for alias in unsettled_aliases():
        with transaction.atomic():
            is_last = all_know(alias, now=now)
            customer = Customer.objects.filter(organization_id=alias.organization_id, key=alias.subject).first()
            if customer is not None:
                moved += move_events(
                    organization_id=alias.organization_id,
                    subject=alias.subject,
                    target=alias.target,
                    covered=billed_periods(customer),
                    now=now,
                )
            if is_last:
                alias.settled_at = now
                alias.save(update_fields=["settled_at"])
    return moved


def _locked(*customers: Customer) -> list[Customer]:
    """In the order of their ids, so that two merges of the same customers wait for each other."""
    rows = Customer.objects.select_for_update().filter(pk__in=[one.pk for one in customers])
    return list(rows.order_by("id"))


def _conflicts(customer: Customer, into: Customer, now: datetime) -> list[MergeConflict]:
    found = merge_conflicts(customer=customer, into=into, now=now)
    if has_budgets(customer.pk):
        found.append(MergeConflict("budget_active", f"{customer.key} has a budget. Remove it, and set {into.key} one"))
    if has_open_reservations(customer.pk):
        found.append(MergeConflict("reservation_open", f"{customer.key} has a reservation. Wait until it has ended"))
    if has_open_tasks(organization_id=customer.organization_id, customer=customer.key):
        found.append(MergeConflict("task_running", f"{customer.key} has a task at work. Wait until it has ended"))
    return found
