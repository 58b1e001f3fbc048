"""Features, and how much of each a plan version has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.facade import Organization, record_audit, record_change
from billing.facade import PlanVersion
from budgets.models import Entitlement, Feature, PeriodKind
from budgets.queries.features import forget_features, get_feature
from kernel.errors import ConflictError, FieldError, InvalidError, NotFoundError
from metering.facade import Meter, definition_of, get_meter_version

#: What adds up, so that a hold can be added to it.
ADDITIVE = frozenset({"count", "sum", "unique_count"})

MOST_ENTITLEMENTS = 200


class FeatureInvalid(InvalidError):
    code = "feature_invalid"


class FeatureExists(ConflictError):
    code = "feature_exists"


class FeatureInUse(ConflictError):
    code = "feature_in_use"


class EntitlementsInvalid(InvalidError):
    """`errors` point into the list."""

    code = "entitlements_invalid"


def create_feature(*, organization: Organization, key: str, name: str = "", meter: str | None = None) -> Feature:
    """A feature that plans may have; with a `meter` (key or id), they may say how much of it.

    Raises `FeatureExists`, `FeatureInvalid` for a meter that does not add up, and what is raised for an unknown one.
    """
    counted = _additive(organization.pk, meter) if meter is not None else None
    try:
        with transaction.atomic():
            feature = Feature.objects.create(organization=organization, key=key, name=name or key, meter=counted)
            record_audit(
                organization_id=organization.pk,
                action="feature.create",
                target=key,
                meter=counted.key if counted is not None else None,
            )
    except IntegrityError:
        raise FeatureExists(f"There is a feature {key!r} already") from None
    forget_features()
    return feature


def rename_feature(*, feature: Feature, name: str) -> Feature:
    """Call a feature something else; its key and meter never change."""
    with transaction.atomic():
        held = Feature.objects.select_for_update(of=("self",)).select_related("meter").get(pk=feature.pk)
        before, held.name = held.name, name
        held.save(update_fields=["name"])
        record_change(
            organization_id=held.organization_id,
            action="feature.update",
            target=held.key,
            before={"name": before},
            after={"name": name},
        )
    return held


def remove_feature(*, feature: Feature) -> None:
    """Remove a feature that no plan has; raises `FeatureInUse` for another."""
    try:
        with transaction.atomic():
            record_audit(organization_id=feature.organization_id, action="feature.remove", target=feature.key)
            feature.delete()
    except ProtectedError:
        raise FeatureInUse("Plans have this feature") from None
    forget_features()


@dataclass(frozen=True, slots=True)
class _Wanted:
    feature: Feature
    limit: Decimal | None
    is_hard: bool
    period: str


def set_entitlements(*, plan_version: PlanVersion, entitlements: Sequence[Mapping[str, Any]]) -> list[Entitlement]:
    """The features that a plan version has from now on, in place of those it had.

    Each is `{"feature", "limit"?, "hard"?, "period"?}`; without a limit it is without end. Checks see it within three
    seconds. Raises `EntitlementsInvalid`.
    """
    organization_id = plan_version.plan.organization_id
    wanted = _read(organization_id, entitlements)
    with transaction.atomic():
        PlanVersion.objects.select_for_update(of=("self",)).get(pk=plan_version.pk)
        rows = Entitlement.objects.filter(plan_version=plan_version).select_related("feature")
        before = {row.feature.key: _written(row) for row in rows}
        rows.delete()
        made = [
            Entitlement(
                plan_version=plan_version, feature=one.feature, limit=one.limit, is_hard=one.is_hard, period=one.period
            )
            for one in wanted
        ]
        Entitlement.objects.bulk_create(made)
        record_change(
            organization_id=organization_id,
            action="plan.set_entitlements",
            target=plan_version.plan.key,
            before=before,
            after={row.feature.key: _written(row) for row in made},
            version=plan_version.number,
        )
    return made


def _read(organization_id: int, entitlements: Sequence[Mapping[str, Any]]) -> list[_Wanted]:
    if len(entitlements) > MOST_ENTITLEMENTS:
        raise EntitlementsInvalid(f"A plan version has at most {MOST_ENTITLEMENTS} features")
    wanted: list[_Wanted] = []
    faults: list[FieldError] = []
    for index, one in enumerate(entitlements):
        at = f"/entitlements/{index}"
        try:
            feature = get_feature(organization_id=organization_id, feature=one["feature"])
        except NotFoundError as error:
            faults.append(FieldError(f"{at}/feature", error.code, error.detail))
            continue
        if feature.pk in {other.feature.pk for other in wanted}:
            faults.append(FieldError(f"{at}/feature", "feature_repeated", "Each feature is in the list once"))
        limit, period = one.get("limit"), one.get("period") or PeriodKind.BILLING_PERIOD
        if limit is not None and feature.meter is None:
            faults.append(FieldError(f"{at}/limit", "limit_not_allowed", "This feature has no meter to be limited by"))
        wanted.append(_Wanted(feature, limit, one.get("hard", True), period))
    if faults:
        raise EntitlementsInvalid("These entitlements make no sense", errors=faults)
    return wanted


def _written(row: Entitlement) -> dict[str, Any]:
    return {"limit": row.limit, "hard": row.is_hard, "period": str(row.period)}


def _additive(organization_id: int, meter: str) -> Meter:
    version = get_meter_version(organization_id=organization_id, meter=meter)
    aggregation = definition_of(version).aggregation
    if aggregation not in ADDITIVE:
        detail = f"A limit needs a meter that adds up ({', '.join(sorted(ADDITIVE))}), not {aggregation}"
        raise FeatureInvalid(detail, code="meter_unsuitable")
    return version.meter
