"""Who is on which version of a plan at an instant, counted and listed in the database."""

from __future__ import annotations

from datetime import datetime

from django.db.models import CharField, Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from billing.models import PlanChange, PlanVersion, Subscription, SubscriptionAddOn


def subscriptions_on(organization_id: int, now: datetime) -> QuerySet[Subscription]:
    """Subscriptions that run at `now`; `version_now` is the id of the plan version each is on."""
    changes = PlanChange.objects.filter(subscription=OuterRef("pk"), starts_at__lte=now).order_by("-starts_at", "-id")
    running = Subscription.objects.filter(organization_id=organization_id, starts_at__lte=now)
    changed_to = Subquery(changes.values("plan_version_id")[:1])
    return running.filter(Q(ends_at=None) | Q(ends_at__gte=now)).annotate(
        version_now=Coalesce(changed_to, F("plan_version_id"), output_field=CharField())
    )


def counts_on_versions(organization_id: int, now: datetime) -> dict[str, int]:
    """How many subscriptions each version of any plan has at `now`, as their plan or as an add-on, by its id."""
    rows = subscriptions_on(organization_id, now).order_by().values_list("version_now").annotate(Count("pk"))
    counts: dict[str, int] = dict(rows)
    add_ons = SubscriptionAddOn.objects.filter(subscription__organization_id=organization_id, starts_at__lte=now)
    running = add_ons.filter(Q(ends_at=None) | Q(ends_at__gte=now))
    for version, count in running.order_by().values_list("plan_version_id").annotate(Count("pk")):
        counts[version] = counts.get(version, 0) + count
    return counts


def on_plan(organization_id: int, plan_id: str, now: datetime) -> QuerySet[Subscription]:
    """Subscriptions that are on any version of a plan at `now`, with their customers."""
    versions = PlanVersion.objects.filter(plan=plan_id)
    return subscriptions_on(organization_id, now).filter(version_now__in=versions).select_related("customer")
