"""Comparing our books with Stripe's: whatever differs is a row until a later comparison finds it no more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Min

from billing.facade import invoices_of
from collection.domain.comparing import Difference, Fact, differences
from collection.domain.minor_units import from_minor_units
from collection.models import ProviderPayment, Reconciliation, ReconciliationDifference, StripeAccount
from collection.models.accounts import ProviderName
from collection.providers.contract import TryAgain
from collection.providers.stripe_client import Refused
from collection.providers.stripe_objects import StripeObjects
from collection.queries import comparison
from collection.services.events import HANDLED_TYPES, store_event
from collection.services.money import reference
from collection.services.usage_comparison import usage_differences
from kernel.errors import UnavailableError

#: How far back a comparison looks; further where a difference is open.
WINDOW = timedelta(days=35)

#: Stripe keeps events for 30 days.
_EVENTS_KEPT = timedelta(days=29)


def catch_up_events(*, organization_id: int, now: datetime) -> int:
    """Write down the events of Stripe's that no webhook brought, for as long as it keeps them; answers how many.

    Raises `TryAgain`.
    """
    account = StripeAccount.objects.filter(organization_id=organization_id).first()
    if account is None:
        return 0
    told = StripeObjects(account).events_since(now - _EVENTS_KEPT, list(HANDLED_TYPES))
    return sum(store_event(organization_id=organization_id, event=event, now=now) is not None for event in told)


def reconcile(*, organization_id: int, now: datetime, until: datetime | None = None) -> Reconciliation | None:
    """Compare all that was made at Stripe in the last weeks (before `until`) with our books, and store what differs;
    what was open and differs no more is resolved. None where there is no account. Outside of a transaction.

    Where Stripe does not answer, `error` says so and no difference is touched.
    """
    account = StripeAccount.objects.select_related("organization").filter(organization_id=organization_id).first()
    if account is None:
        return None
    open_rows = ReconciliationDifference.objects.filter(organization_id=organization_id, resolved_at=None)
    oldest = open_rows.aggregate(at=Min("occurred_at"))["at"] or now
    since = min(now - WINDOW, oldest - timedelta(minutes=1))
    run = Reconciliation.objects.create(
        organization_id=organization_id, provider=ProviderName.STRIPE, since=since, started_at=now
    )
    try:
        compared, found = _compare(account, since, until, now)
    except (TryAgain, Refused, UnavailableError) as error:
        run.error = getattr(error, "detail", str(error))
        run.save(update_fields=["error"])
        return run
    _store(run, compared, found, now)
    return run


def _compare(
    account: StripeAccount, since: datetime, until: datetime | None, now: datetime
) -> tuple[int, list[Difference]]:
    """How many things were compared, and what differs. Stripe is read first: what is made meanwhile is in our books."""
    organization_id = account.organization_id
    there = _Theirs(account, since, until)
    here = {
        "payment": comparison.payments_here(organization_id, since),
        "refund": comparison.refunds_here(organization_id, since),
        "dispute": comparison.disputes_here(organization_id, since),
    }
    found: list[Difference] = []
    for what, ours in here.items():
        theirs = there.facts[what]
        known = {pk: one for pk, one in ours.items() if until is None or one.at < until}
        found += differences(what, known, theirs)
    found += comparison.troubled_calls(organization_id, now)
    usage_compared, usage_found = usage_differences(account=account, since=since, now=now)
    found += usage_found
    found += comparison.unbalanced_invoices(organization_id, since, named=[one.invoice for one in found])
    compared = sum(len(ours.keys() | there.facts[what].keys()) for what, ours in here.items())
    return compared + usage_compared, found


class _Theirs:
    """What Stripe says of the things that are for invoices of this organization."""

    def __init__(self, account: StripeAccount, since: datetime, until: datetime | None) -> None:
        self._account, self._until = account, until
        self._under_way = comparison.calls_under_way(account.organization_id)
        objects, public_id = StripeObjects(account), account.organization.public_id
        intents = [
            one
            for one in objects.intents_since(since)
            if (one.get("metadata") or {}).get("taximeter_organization") == public_id and self._is_settled(one)
        ]
        refunds = [one for one in objects.refunds_since(since) if self._is_settled(one)]
        disputes = [one for one in objects.disputes_since(since) if self._is_settled(one)]
        self._invoices = self._invoices_of(intents, [*refunds, *disputes])
        payments = {one["id"]: self._payment(one) for one in intents if one["status"] == "succeeded"}
        self.facts: dict[str, dict[str, Fact]] = {
            "payment": payments,
            "refund": {one["id"]: self._part(one) for one in refunds if self._is_ours(one)},
            "dispute": {one["id"]: self._part(one) for one in disputes if self._is_ours(one)},
        }

    def _is_settled(self, found: Mapping[str, Any]) -> bool:
        call = (found.get("metadata") or {}).get("taximeter_call", "")
        return call not in self._under_way and (self._until is None or _made_at(found) < self._until)

    def _invoices_of(self, intents: list[dict[str, Any]], parts: list[dict[str, Any]]) -> dict[str, str]:
        """The invoice of each payment: as its metadata says, or as our books do for one made before."""
        asked = {reference(one, "payment_intent") for one in parts}
        rows = ProviderPayment.objects.filter(organization_id=self._account.organization_id, provider_id__in=asked)
        named = {one["id"]: str(one["metadata"].get("taximeter_invoice", "")) for one in intents}
        return named | dict(rows.values_list("provider_id", "invoice_id"))

    def _is_ours(self, found: Mapping[str, Any]) -> bool:
        return reference(found, "payment_intent") in self._invoices

    def _payment(self, intent: Mapping[str, Any]) -> Fact:
        currency = str(intent["currency"]).upper()
        amount = from_minor_units(int(intent["amount_received"]), currency)
        return Fact(comparison.money(amount, currency), _made_at(intent), self._invoices[intent["id"]])

    def _part(self, found: Mapping[str, Any]) -> Fact:
        currency = str(found["currency"]).upper()
        amount = from_minor_units(int(found["amount"]), currency)
        invoice = self._invoices[reference(found, "payment_intent")]
        return Fact(f"{comparison.money(amount, currency)} {found['status']}", _made_at(found), invoice)


def _made_at(found: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(found["created"]), UTC)


def _store(run: Reconciliation, compared: int, found: list[Difference], now: datetime) -> None:
    with transaction.atomic():
        # One comparison stores at a time.
        StripeAccount.objects.select_for_update().filter(organization_id=run.organization_id).first()
        known = {
            (one.kind, one.subject): one
            for one in ReconciliationDifference.objects.filter(organization_id=run.organization_id, resolved_at=None)
        }
        named = {one.invoice for one in found if one.invoice}
        ours = set(invoices_of(run.organization_id).filter(pk__in=named).values_list("pk", flat=True))
        for one in found:
            row = known.pop(one.key, None) or ReconciliationDifference(
                organization_id=run.organization_id,
                kind=one.kind,
                subject=one.subject[:255],
                occurred_at=one.at,
                found_at=now,
            )
            row.reconciliation, row.here, row.there = run, one.here[:100], one.there[:100]
            row.invoice_id, row.detail = one.invoice if one.invoice in ours else None, one.detail
            row.save()
        for row in known.values():
            row.resolved_at = now
            row.save(update_fields=["resolved_at"])
        run.finished_at, run.compared, run.open_differences = now, compared, len(found)
        run.save(update_fields=["finished_at", "compared", "open_differences"])
