"""Moving subscriptions between versions of a plan, and giving a customer prices of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from billing.catalog.migrating import movable, now_for
from billing.catalog.models import PriceKind
from billing.catalog.services import PlanInvalid
from billing.models import Plan, PlanChange, PlanVersion, Price, Subscription
from billing.rating.price_terms import parse_terms
from billing.subscriptions.changes import change_plan
from billing.subscriptions.timeline import version_at
from kernel.errors import FieldError, NotFoundError, TaximeterError

_COPIED = ("position", "key", "name", "kind", "bill", "meter", "filter", "prorate", "included", "minimum", "maximum")
#: What a version of a customer's own takes over besides prices.
_OF_THE_PLAN = (
    "currency", "interval", "interval_count", "trial_days", "trial_once_per_customer", "invoice_threshold",
    "settlement_hours",
)  # fmt: skip


def version_numbered(plan: Plan, number: int | None) -> PlanVersion:
    """The plan's version of that number, or its newest; `NotFoundError` with code `plan_version_not_found`."""
    versions = [one for one in plan.versions.all() if one.customer_id is None and number in (None, one.number)]
    if not versions:
        raise NotFoundError(f"The plan {plan.key!r} has no version {number}", code="plan_version_not_found")
    return max(versions, key=lambda one: one.number)


def migrate_plan(*, plan: Plan, to: PlanVersion, when: str, now: datetime) -> int:
    """Move every running subscription that is on another version of `plan` to the version `to`, `now` or at its
    `period_end`; all or none. Customers with prices of their own stay, and who is to leave the plan leaves it as
    arranged. Answers how many moved."""
    with transaction.atomic():
        found = movable(plan, to, now, when)
        for subscription in found:
            change_plan(
                subscription=subscription, version=to, when=when, now=now_for(subscription, now), keeps_leaving=True
            )
    return len(found)


def override_prices(
    *, subscription: Subscription, prices: Sequence[Mapping[str, Any]], when: str, now: datetime
) -> PlanChange:
    """Give a subscription prices of its own: those of its version, with what each of `prices` (by `key`) says other.

    Overrides that it has already stay unless they are named. Raises `PlanInvalid` with a pointer to each fault,
    and what `change_plan` raises.
    """
    with transaction.atomic():
        base = version_at(subscription, max(now, subscription.starts_at))
        own = PlanVersion.objects.create(
            plan=base.plan,
            number=base.number,
            customer=subscription.customer,
            based_on=base.based_on or base,
            **{name: getattr(base, name) for name in _OF_THE_PLAN},
        )
        Price.objects.bulk_create(_overridden(base, own, prices))
        return change_plan(subscription=subscription, version=own, when=when, now=now)


def _overridden(base: PlanVersion, own: PlanVersion, prices: Sequence[Mapping[str, Any]]) -> list[Price]:
    errors: list[FieldError] = []
    found = {price.key: price for price in base.prices.all() if price.kind != PriceKind.COMMITMENT}
    wanted: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for index, body in enumerate(prices):
        wanted.setdefault(body["key"], (index, body))
    errors += [
        FieldError(f"/prices/{index}/key", "price_unknown", f"The plan has no price {key!r}")
        for key, (index, _) in wanted.items()
        if key not in found
    ]
    errors += [
        FieldError(f"/prices/{index}/key", "duplicate", f"The price {body['key']!r} is named before")
        for index, body in enumerate(prices)
        if wanted[body["key"]][0] != index
    ]
    made: list[Price] = []
    for price in base.prices.all():
        index, body = wanted.get(price.key, (0, {}))
        try:
            made.append(_copy(price, own, body))
        except TaximeterError as error:
            errors += [FieldError(f"/prices/{index}{e.pointer}", e.code, e.detail) for e in error.errors]
    if errors:
        raise PlanInvalid("; ".join(f"{e.pointer}: {e.detail}" for e in errors[:3]), errors=errors)
    return made


def _copy(price: Price, own: PlanVersion, changes: Mapping[str, Any]) -> Price:
    """The price in the customer's own version; checked as any other price is."""
    copied = Price(
        plan_version=own,
        model=price.model,
        pricing_unit_id=price.pricing_unit_id,
        unit_rate=price.unit_rate,
        tax_rate=price.tax_rate,
        **{name: getattr(price, name) for name in _COPIED},
    )
    if not changes:
        return copied
    limits = {name: changes.get(name, _plain(getattr(price, name))) for name in ("included", "minimum", "maximum")}
    terms = parse_terms(
        {"kind": price.kind, "model": changes.get("model", price.model), "prorate": price.prorate} | limits
    )
    copied.name = changes.get("name", price.name)
    copied.included, copied.minimum, copied.maximum = terms.included, terms.minimum, terms.maximum
    copied.model = terms.model.to_json()
    return copied


def _plain(amount: Any) -> str | None:
    return None if amount is None else format(amount, "f")
