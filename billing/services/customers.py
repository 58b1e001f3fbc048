from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.facade import Organization, record_audit, record_change
from billing.announcing import tell
from billing.errors import CurrencyMismatch, KeyTaken
from billing.models import Customer, Plan, PlanVersion, Subscription
from billing.models.catalogue import PriceKind
from billing.models.customers import Anchor
from billing.queries.catalogue import newest_version
from kernel.errors import ConflictError, InvalidError


def create_customer(*, organization: Organization, key: str, name: str = "", **fields: Any) -> Customer:
    """A new customer. Events that named its key before it existed count from now on.

    `fields` are those of the model (`email`, `currency`, `timezone`, `address`, `tax_rate`, `tax_id`,
    `metadata`). Raises `KeyTaken`.
    """
    try:
        with transaction.atomic():
            customer = Customer.objects.create(organization=organization, key=key, name=name or key, **fields)
            tell("customer.created", [customer], at=customer.created_at)
            record_audit(
                organization_id=organization.pk,
                action="customer.create",
                target=customer.pk,
                key=key,
                name=customer.name,
            )
            return customer
    except IntegrityError:
        raise KeyTaken(f"There is a customer {key!r} already") from None


def update_customer(*, customer: Customer, now: datetime, **fields: Any) -> Customer:
    """Change what may change of a customer; finalized invoices stay as they are.

    The currency is settled once there is a subscription, a charge or credit in it; the time zone, whose days periods
    begin with, once there is a subscription.
    """
    if fields.get("currency", customer.currency) != customer.currency and _has_money(customer):
        raise ConflictError(
            "The currency of a customer with subscriptions, charges or credit is settled", code="currency_settled"
        )
    if fields.get("timezone", customer.timezone) != customer.timezone and customer.subscriptions.exists():
        raise ConflictError("The time zone of a customer with subscriptions is settled", code="timezone_settled")
    before = {name: getattr(customer, name) for name in fields}
    for name, value in fields.items():
        setattr(customer, name, value)
    with transaction.atomic():
        customer.save(update_fields=list(fields))
        tell("customer.updated", [customer], at=now)
        record_change(
            organization_id=customer.organization_id,
            action="customer.update",
            target=customer.pk,
            before=before,
            after=fields,
        )
    return customer


def _has_money(customer: Customer) -> bool:
    waiting = customer.one_off_charges.filter(line=None)
    return customer.subscriptions.exists() or waiting.exists() or customer.credit_grants.filter(balance__gt=0).exists()


def subscribe(
    *,
    customer: Customer,
    plan: Plan,
    starts_at: datetime,
    seats: int = 0,
    anchor: str = Anchor.CALENDAR,
    trial_days: int | None = None,
) -> Subscription:
    """Put a customer on the newest version of a plan from `starts_at` on.

    Its billing periods follow the calendar, or with the anchor `anniversary` begin on its first billed day.
    A trial is as long as the plan's unless `trial_days` says otherwise.

    Raises `CurrencyMismatch` where the plan is in another currency than the customer, and
    `InvalidError` where the plan has a seat price and no seats are given.
    """
    version = newest_version(plan)
    require_plan(customer, version)
    require_offered(plan)
    require_no_add_on(version)
    require_seats(version, seats)
    with transaction.atomic():
        subscription = Subscription.objects.create(
            organization_id=customer.organization_id,
            customer=customer,
            plan_version=version,
            starts_at=starts_at,
            anchor=anchor,
            trial_days=version.trial_days if trial_days is None else trial_days,
            seats=seats,
        )
        tell("subscription.created", [subscription], at=subscription.created_at)
        record_audit(
            organization_id=customer.organization_id,
            action="subscription.create",
            target=subscription.pk,
            customer=customer.key,
            plan=plan.key,
            version=version.number,
            seats=seats,
            starts_at=starts_at,
        )
    return subscription


def require_plan(customer: Customer, version: PlanVersion) -> None:
    """Raises where the customer cannot be on this plan version: `CurrencyMismatch`, `InvalidError`."""
    if version.plan.organization_id != customer.organization_id:
        raise InvalidError("Plan and customer belong to different organizations")
    if version.currency != customer.currency:
        raise CurrencyMismatch(f"The plan is in {version.currency}, the customer pays in {customer.currency}")


def require_offered(plan: Plan) -> None:
    """Raises `ConflictError` with code `plan_archived` for a plan that nobody new gets on."""
    if plan.archived_at is not None:
        raise ConflictError(f"The plan {plan.key!r} is archived: nobody new gets on it", code="plan_archived")


def require_no_add_on(version: PlanVersion) -> None:
    """Raises `InvalidError` with code `plan_is_an_add_on` for what a subscription cannot be on."""
    if version.plan.add_on:
        raise InvalidError("An add-on stands beside a plan: add it to a subscription", code="plan_is_an_add_on")


def require_seats(version: PlanVersion, seats: int) -> None:
    """Raises `InvalidError` with code `seats_missing` where the plan has a seat price and there is no seat."""
    if seats == 0 and any(price.kind == PriceKind.SEAT for price in version.prices.all()):
        raise InvalidError("This plan has a price per seat: say how many seats", code="seats_missing")
