from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from billing.facade import PlanVersion
from budgets.contracts import FeatureNotFound
from budgets.models import Entitlement, Feature
from metering.facade import Kept, get_meter_version
from rest.lookup import find


def features_of(organization_id: int) -> QuerySet[Feature]:
    """The organization's features."""
    return Feature.objects.filter(organization_id=organization_id).select_related("meter").order_by("id")


def entitlements_in(plan_version: PlanVersion) -> list[Entitlement]:
    """The features that a plan version has of its own, by key."""
    rows = Entitlement.objects.filter(plan_version=plan_version).select_related("feature__meter")
    return list(rows.order_by("feature__key"))


def get_feature(*, organization_id: int, feature: str) -> Feature:
    """The feature with this key or id; `NotFoundError` with code `feature_not_found`."""
    return find(features_of(organization_id), feature, what="feature")


@dataclass(frozen=True, slots=True)
class Used:
    """What a check is about: a feature, its meter, or a meter alone; their ids and keys."""

    feature_id: str | None = None
    feature: str = ""
    meter_id: str | None = None
    meter: str = ""


_kept: Kept[Used] = Kept(seconds=3.0)


def forget_features() -> None:
    """To be called when features have changed."""
    _kept.forget_all()


def used_by(*, organization_id: int, feature: str | None, meter: str | None) -> Used:
    """What is used, by key or id; raises `FeatureNotFound`, `MeterNotFound`. Believed for three seconds."""
    key = (organization_id, feature, meter)
    return _kept.get(key) or _kept.keep(key, _look_up(organization_id, feature, meter))


def _look_up(organization_id: int, feature: str | None, meter: str | None) -> Used:
    if feature is not None:
        found = features_of(organization_id).filter(key=feature).first()
        found = found or features_of(organization_id).filter(pk=feature).first()
        if found is None:
            raise FeatureNotFound(f"There is no feature {feature!r}")
        return Used(found.pk, found.key, found.meter_id, found.meter.key if found.meter is not None else "")
    if meter is not None:
        version = get_meter_version(organization_id=organization_id, meter=meter)
        return Used(meter_id=version.meter_id, meter=version.meter.key)
    return Used()
