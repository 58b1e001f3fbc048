"""Taking a plan off sale, and moving everybody on it to another of its versions with progress.

A migration is worked in batches by any number of processes. Each batch is one transaction, which finds out itself who
of it is still to be moved: killed, it is taken up where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.facade import record_audit
from billing.models import Plan, PlanMigration, PlanVersion, Subscription
from billing.models.invoices import RunStatus
from billing.queries.moves import movable, now_for
from billing.services.changes import change_plan
from kernel.errors import ConflictError, TaximeterError

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
