"""Creating and changing customers and the billing policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.facade import Organization, record_audit, record_change
from billing.announcing import tell
from billing.errors import KeyTaken
from billing.models import BillingPolicy, Customer
from kernel.errors import ConflictError, FieldError
from kernel.text import TextInvalid, refusal_of, refused_within, require_text


def create_customer(*, organization: Organization, key: str, name: str = "", **fields: Any) -> Customer:
    """A new customer. Events that named its key before it existed count from now on.

    `fields` are those of the model (`email`, `currency`, `timezone`, `address`, `tax_rate`, `tax_id`,
    `metadata`). Raises `KeyTaken`, and `TextInvalid` for control characters.
    """
    _require_texts({"name": name, **fields})
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
    begin with, once there is a subscription. Raises `TextInvalid` for control characters.
    """
    _require_texts(fields)
    if fields.get("currency", customer.currency) != customer.currency and _has_money(customer):
        raise ConflictError(
            "The currency of a customer with subscriptions, charges or credit is settled", code="currency_settled"
        )
    if fields.get("timezone", customer.timezone) != customer.timezone and customer.subscriptions.exists():
        raise ConflictError("The time zone of a customer with subscriptions is settled", code="timezone_settled")
    require_open(customer)
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


def _require_texts(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, str):
            require_text(value, field=name)
        elif (found := refused_within(value)) is not None:
            fault = FieldError(f"/{name}", TextInvalid.code, refusal_of(found))
            raise TextInvalid(f"{name}: {fault.detail}", errors=[fault])


def _has_money(customer: Customer) -> bool:
    waiting = customer.one_off_charges.filter(line=None)
    return customer.subscriptions.exists() or waiting.exists() or customer.credit_grants.filter(balance__gt=0).exists()


def announce_customer(type: str, customer: Customer, *, at: datetime) -> None:
    """Announce to other systems that `type`, such as `customer.erased`, happened to a customer."""
    tell(type, [customer], at=at)


def require_open(customer: Customer) -> None:
    """Raise `ConflictError` with code `customer_erased` or `customer_merged` for one that nothing new begins with."""
    if customer.erased_at is not None:
        raise ConflictError("This customer was erased. Create another one", code="customer_erased")
    if customer.merged_into_id is not None:
        raise ConflictError(
            f"This customer was merged into {customer.merged_into_id}. Use that one", code="customer_merged"
        )


def change_policy(*, organization_id: int, **fields: Any) -> BillingPolicy:
    """Change some of an organization's choices (the model's fields). They count for invoices made from now on."""
    with transaction.atomic():
        policy, _ = BillingPolicy.objects.select_for_update().get_or_create(organization_id=organization_id)
        before = {name: getattr(policy, name) for name in fields}
        for name, value in fields.items():
            setattr(policy, name, value)
        policy.save(update_fields=list(fields))
        record_change(
            organization_id=organization_id,
            action="billing_policy.update",
            target="billing_policy",
            before=before,
            after=fields,
        )
    return policy
