"""Anonymizing and erasing a customer: one transaction over everything that names it, then what files and a long history
of events ask for, which goes on after a crash."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial

from django.db import transaction

from accounts.facade import Person, blank_answers, destroy_personal_keys, end_access, record_audit
from agents.facade import forget_tasks
from billing.facade import (
    Customer,
    announce_customer,
    keep_documents,
    neutralize_customer,
    person_of,
    priced_dimensions,
    require_erasable,
)
from budgets.facade import budgeted_dimensions, forget_budgets
from collection.facade import forget_paying_customer, paying_customer
from exports.facade import expire_exports, remove_expired
from metering.facade import STANDARD_PATHS, begin_redaction, has_archives, needed_paths, redact
from notifications.facade import forget_messages, remove_mail_files
from privacy.contracts import Kept, Removal

#: Events whose text is made unreadable before the answer; the rest of a longer history follows in the background.
AT_ONCE = 10_000


def anonymize_customer(*, customer: Customer, now: datetime) -> Removal:
    """Remove the personal details of a customer: name, addresses and free texts are replaced, and the keys of its
    values in the audit trail and in events are destroyed. Usage, subscriptions, invoices and payments stay.

    Safe to repeat, and finds what has come since.
    """
    return _remove(customer, now, is_erased=False, cancel_first=False)


def erase_customer(*, customer: Customer, now: datetime, cancel_first: bool = False) -> Removal:
    """Anonymize a customer and end all that is left of it: API keys, budgets, its tie to a payment provider.

    Nothing new begins with it. The buyer on its documents can be read until the organization's retention is
    over.

    Raises `ErasureRefused` while something is to be billed, paid or used up; nothing is changed then.
    """
    return _remove(customer, now, is_erased=True, cancel_first=cancel_first)


def _remove(customer: Customer, now: datetime, *, is_erased: bool, cancel_first: bool) -> Removal:
    with transaction.atomic():
        locked = Customer.objects.select_for_update().get(pk=customer.pk)
        if is_erased:
            require_erasable(customer=locked, now=now, cancel_first=cancel_first)
        person = person_of(locked)
        at_stripe = bool(paying_customer(locked).stripe_customer)
        removed = _forget(person, now, is_erased)
        until = keep_documents(customer_ids=person.customers, organization_id=person.organization_id, now=now)
        priced = priced_dimensions(person.organization_id) | budgeted_dimensions(person.organization_id)
        redactions = begin_redaction(
            organization_id=person.organization_id, subjects=person.subjects, priced=priced, now=now
        )
        done = [redact(redaction_id=one.pk, now=now, most=AT_ONCE) for one in redactions]
        locked.refresh_from_db()
        announce_customer("customer.erased" if is_erased else "customer.anonymized", locked, at=now)
        record_audit(
            organization_id=person.organization_id,
            action="customer.erase" if is_erased else "customer.anonymize",
            target=locked.pk,
            removed=removed,
            documents_until=until,
        )
        transaction.on_commit(partial(_remove_files, person, now), robust=True)
    return Removal(locked, removed, _kept(person, until, priced), _beyond_reach(person, at_stripe), all(done))


def _forget(person: Person, now: datetime, is_erased: bool) -> dict[str, int]:
    removed = {
        "budgets": forget_budgets(person, now=now, is_erased=is_erased),
        "tasks": forget_tasks(person),
        **forget_paying_customer(person, is_erased=is_erased),
        **end_access(person, now=now, revokes_keys=is_erased),
        "exports": expire_exports(organization_id=person.organization_id, now=now),
        **forget_messages(person),
        "answers": blank_answers(person),
    }
    neutralize_customer(person=person, now=now, is_erased=is_erased)
    return removed | {"keys": destroy_personal_keys(person, now=now)}


def _remove_files(person: Person, now: datetime) -> None:
    """Files, once the rows that name them are committed. The task that looks for expired exports would do it too."""
    while remove_expired(now=now):
        pass
    remove_mail_files(person)


def _kept(person: Person, until: date | None, priced: set[tuple[str, str]]) -> list[Kept]:
    named = ", which looks like an e-mail address" if any("@" in subject for subject in person.subjects) else ""
    kept = [
        Kept(f"the customer's key{named}, and the ids and sources of its events", "usage counts by them"),
        Kept(
            "descriptions on issued invoices, reasons of credit notes, references of payments and bank transfers",
            "they are part of the books",
        ),
    ]
    if until is not None:
        reason = "tax law asks for complete invoices: see docs/privacy.md"
        kept.insert(0, Kept("the buyer on issued documents, encrypted", reason, until))
    if paths := sorted(needed_paths(person.organization_id, priced) - set(STANDARD_PATHS)):
        reason = "meters sum or filter by them, or prices go by them"
        kept.append(Kept(f"values in events at {', '.join(paths)}", reason))
    return kept


def _beyond_reach(person: Person, at_stripe: bool) -> list[str]:
    found = [
        "mail that was sent and webhooks that were received",
        "exports that were downloaded or delivered",
        "backups of the database from before",
    ]
    if has_archives(person.organization_id):
        found.append("text in archived months of the event log that was not declared personal")
    if at_stripe:
        found.append("the customer at Stripe")
    return found
