"""What is looked for all the time: steps, calls and events that are due, and once a night what differs."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task

from accounts.facade import record_audit
from collection.models import StripeAccount, StripeMeter
from collection.providers.contract import TryAgain
from collection.queries.accounts import collecting_organizations, stripe_account_of
from collection.services.accounts import collect_open_invoices
from collection.services.dunning import run_due_steps
from collection.services.events import handle_due_events
from collection.services.outbox import calls_due, make_due_calls
from collection.services.reconciliation import catch_up_events, reconcile
from collection.services.usage import push_usage
from kernel.clock import system_clock
from kernel.errors import TaximeterError

logger = logging.getLogger("collection")

#: Calls that one task makes, and tasks that work beside the one that looked: each call waits for the provider.
_CALLS, _HELPERS = 50, 3

#: What was made in the last minutes may be on its way here: it is compared the night after.
_ON_ITS_WAY = timedelta(minutes=15)


@shared_task(name="collection.take_steps")
def take_steps() -> int:
    """Charges, reminders, suspensions and giving up that are due."""
    return run_due_steps(now=system_clock())


@shared_task(name="collection.make_calls")
def make_calls(*, helps: bool = False) -> int:
    """Make calls that are due, and call others to help where many wait. Each call is held by one worker at a time."""
    now = system_clock()
    if not helps:
        waiting = calls_due(now).order_by()[: _CALLS * (_HELPERS + 1)].count()
        for _ in range((waiting - 1) // _CALLS):
            make_calls.delay(helps=True)
    return make_due_calls(now=now, limit=_CALLS)


@shared_task(name="collection.handle_events")
def handle_events() -> int:
    """Handle what Stripe's webhooks have told."""
    return handle_due_events(now=system_clock())


@shared_task(name="collection.collect")
def collect() -> int:
    """Begin to collect invoices of collecting organizations that are not collected yet, for whatever reason."""
    return sum(collect_open_invoices(policy=one, now=system_clock()) for one in collecting_organizations())


@shared_task(name="collection.push_usage")
def push_hours() -> int:
    """Write down what is to be pushed to Stripe's meters."""
    pushed, organizations = 0, StripeMeter.objects.order_by().values_list("organization_id", flat=True).distinct()
    for organization_id in organizations:
        try:
            pushed += push_usage(organization_id=organization_id, now=system_clock())
        except TaximeterError as error:  # no account, or a meter that is gone: the others go on
            logger.warning("usage of organization %s is not pushed: %s", organization_id, error.detail)
    return pushed


def ask_to_reconcile(*, organization_id: int) -> None:
    # X
    """Have an organization's books compared in the background. Raises `StripeAccountMissing`."""
    stripe_account_of(organization_id)
    record_audit(organization_id=organization_id, action="reconciliation.start", target="")
    reconcile_one.delay(organization_id=organization_id)


@shared_task(name="collection.reconcile")
def reconcile_everybody() -> int:
    """Compare the books of every organization that has a provider; each by a task of its own."""
    organizations = list(StripeAccount.objects.order_by("organization_id").values_list("organization_id", flat=True))
    for organization_id in organizations:
        reconcile_one.delay(organization_id=organization_id)
    return len(organizations)


@shared_task(name="collection.reconcile_one")
def reconcile_one(*, organization_id: int) -> int:
    """Fetch and handle events that no webhook brought, and compare then; answers how many differences are open."""
    now = system_clock()
    try:
        catch_up_events(organization_id=organization_id, now=now)
        while handle_due_events(now=now, organization_id=organization_id):
            pass
    except TryAgain as error:
        logger.warning("organization %s: its events could not be fetched: %s", organization_id, error.detail)
    found = reconcile(organization_id=organization_id, now=now, until=now - _ON_ITS_WAY)
    if found is None:
        return 0
    if found.error:
        logger.error("organization %s could not be compared with its provider: %s", organization_id, found.error)
    elif found.open_differences:
        logger.error("organization %s: %s differences with its provider", organization_id, found.open_differences)
    return found.open_differences
