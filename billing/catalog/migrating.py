"""Migrating the subscriptions of a plan to another version: preview and run with progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.facade import record_audit
from billing.fields import RunStatus
from billing.invoicing.bills import Bill, open_bill, period_end
from billing.invoicing.priced import PricedInvoice
from billing.invoicing.pricing import price_bills
from billing.models import Plan, PlanChange, PlanMigration, PlanVersion, Subscription
from billing.subscriptions.changes import change_plan
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.timeline import status_at, version_at
from kernel.errors import ConflictError, TaximeterError

#: Subscriptions looked at together.
_PRICED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Move:
    """A subscription that is on `version` of a plan: what its open period comes to before tax, as it is, and as if
    it had been on the other version from the period's first day."""

    subscription: Subscription
    version: PlanVersion
    current: Decimal
    new: Decimal


def movable(
    plan: Plan, to: PlanVersion, now: datetime, when: str, *, among: Sequence[str] | None = None
) -> list[Subscription]:
    """The running subscriptions on other versions of `plan` that all customers share, `now` or at their `period_end`;
    overridden ones stay. `among` are the ids of those to look at, None for all."""
    lasting = Q(ends_at=None) | Q(ends_at__gt=now) | Q(customer__test_clock__isnull=False)
    rows = subscriptions_of(plan.organization_id).filter(lasting)
    if among is not None:
        rows = rows.filter(pk__in=among)
    on_plan = rows.filter(plan_version__plan=plan) | rows.filter(plan_changes__plan_version__plan=plan)
    return [one for one in on_plan.distinct() if _moves(one, plan, to, now_for(one, now), when)]


def now_for(subscription: Subscription, now: datetime) -> datetime:
    """`now`, or what the customer's test clock says."""
    clock = subscription.customer.test_clock
    return now if clock is None else clock.now


def _moves(subscription: Subscription, plan: Plan, to: PlanVersion, now: datetime, when: str) -> bool:
    at = now if when == "now" else period_end(subscription, now)
    if subscription.ends_at is not None and subscription.ends_at <= at:
        return False
    version = version_at(subscription, at)
    on_it = version.plan_id == plan.pk and version.customer_id is None and version.pk != to.pk
    return on_it and status_at(subscription, now) in {"active", "paused"}


def preview_moves(subscriptions: Sequence[Subscription], to: PlanVersion, now: datetime) -> Iterator[Move]:
    """What each of `subscriptions` pays, and would pay; those without an open period, or that cannot be priced, are
    left out. Nothing is written."""
    for start in range(0, len(subscriptions), _PRICED_AT_ONCE):
        some = subscriptions[start : start + _PRICED_AT_ONCE]
        today = _subtotals(some, now)
        versions = {one.pk: version_at(one, now_for(one, now)) for one in some}
        then = _subtotals([_as_if(one, to) for one in some], now)
        for one in some:
            if one.pk in today and one.pk in then:
                yield Move(one, versions[one.pk], today[one.pk], then[one.pk])


def _subtotals(subscriptions: Sequence[Subscription], now: datetime) -> dict[str, Decimal]:
    bills: list[Bill] = [bill for one in subscriptions if (bill := open_bill(one, now_for(one, now))) is not None]
    return {
        answer.bill.subscription.pk: sum((line.rated.amount for line in answer.lines if line.price), Decimal(0))
        for answer in price_bills(bills)
        if isinstance(answer, PricedInvoice) and answer.bill.subscription is not None
    }


def _as_if(subscription: Subscription, version: PlanVersion) -> Subscription:
    """The subscription as if it had always been on `version`: a copy that is never saved."""
    copied = copy(subscription)
    copied._state = copy(subscription._state)
    copied._state.fields_cache = dict(subscription._state.fields_cache)
    copied.plan_version = version
    kept = getattr(subscription, "_prefetched_objects_cache", {})
    setattr(copied, "_prefetched_objects_cache", {**kept, "plan_changes": PlanChange.objects.none()})  # noqa: B010 - Django's own
    return copied


#: Subscriptions moved in one transaction.
_BATCH = 50

_ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)


class MigrationRunning(ConflictError):
    code = "migration_running"


def archive_plan(*, plan: Plan, now: datetime, actor: str = "system") -> Plan:
    """Let nobody new on a plan; who is on it stays. Archiving an archived one changes nothing."""
    if plan.archived_at is None:
        plan.archived_at = now
        plan.save(update_fields=["archived_at"])
        record_audit(organization_id=plan.organization_id, actor=actor, action="plan.archive", target=plan.key)
    return plan


def restore_plan(*, plan: Plan, actor: str = "system") -> Plan:
    """Offer an archived plan again."""
    if plan.archived_at is not None:
        plan.archived_at = None
        plan.save(update_fields=["archived_at"])
        record_audit(organization_id=plan.organization_id, actor=actor, action="plan.restore", target=plan.key)
    return plan


def start_plan_migration(*, plan: Plan, to: PlanVersion, when: str, now: datetime, actor: str) -> PlanMigration:
    """A migration that waits to be worked. Raises `MigrationRunning` where the plan has one under way."""
    total = len(movable(plan, to, now, when))
    try:
        with transaction.atomic():
            made = PlanMigration.objects.create(
                organization_id=plan.organization_id,
                plan=plan,
                to_version=to,
                when=when,
                actor=actor,
                total=total,
                created_at=now,
            )
            record_audit(
                organization_id=plan.organization_id,
                actor=actor,
                action="plan.migrate",
                target=plan.key,
                to_version=to.number,
                when=when,
                subscriptions=total,
            )
    except IntegrityError:
        raise MigrationRunning(f"A migration of {plan.name} is under way") from None
    return made


def work_plan_migration(*, migration: PlanMigration, now: datetime) -> PlanMigration:
    """Move whoever is left to move, batch by batch. Who cannot be moved stays, and is named in `problems`."""
    found = movable(migration.plan, migration.to_version, now, migration.when)
    ids = [one.pk for one in found]
    for start in range(0, max(len(ids), 1), _BATCH):
        _move(migration, ids[start : start + _BATCH], now, is_last=start + _BATCH >= len(ids))
    migration.refresh_from_db()
    return migration


def _move(migration: PlanMigration, ids: Sequence[str], now: datetime, *, is_last: bool) -> None:
    with transaction.atomic():
        locked = PlanMigration.objects.select_for_update().get(pk=migration.pk)
        if locked.status not in _ACTIVE:
            return
        locked.status = RunStatus.RUNNING
        to, told = migration.to_version, {problem["subscription"] for problem in locked.problems}
        for subscription in movable(migration.plan, to, now, locked.when, among=ids):
            if problem := _moved(subscription, to, locked.when, now):
                locked.problems += [problem] if subscription.pk not in told else []
            else:
                locked.moved += 1
        if is_last:
            locked.status = RunStatus.FAILED if locked.problems else RunStatus.SUCCEEDED
            locked.finished_at = now
        locked.save()


def _moved(subscription: Subscription, to: PlanVersion, when: str, now: datetime) -> dict[str, str] | None:
    """What kept a subscription from being moved; None where nothing did."""
    at = now_for(subscription, now)
    try:
        with transaction.atomic():
            change_plan(subscription=subscription, version=to, when=when, now=at, keeps_leaving=True)
    except TaximeterError as error:
        customer = subscription.customer.key
        return {"subscription": subscription.pk, "customer": customer, "code": error.code, "detail": error.detail}
    return None


def migrations_to_resume() -> list[str]:
    """Ids of migrations that are not finished."""
    return list(PlanMigration.objects.filter(status__in=_ACTIVE).order_by("id").values_list("id", flat=True))
