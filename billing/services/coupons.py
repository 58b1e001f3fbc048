"""Coupons, and putting them on subscriptions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.facade import Organization, record_audit
from billing.errors import CurrencyMismatch, KeyTaken
from billing.models import Coupon, CouponRedemption, Subscription
from billing.queries.bills import billing_period_at, period_end
from kernel.errors import ConflictError, FieldError, InvalidError
from kernel.money import round_to_currency

#: The API takes no later instants.
_LAST_YEAR = 3000


class CouponInvalid(InvalidError):
    """The coupon makes no sense; `errors` point into it."""

    code = "coupon_invalid"


class CouponRedeemed(ConflictError):
    """The subscription has, or had, this coupon."""

    code = "coupon_redeemed"


class CouponUnavailable(ConflictError):
    """The coupon has expired, or was redeemed as often as it may be."""

    code = "coupon_unavailable"


def create_coupon(
    *,
    organization: Organization,
    key: str,
    name: str = "",
    percent: Decimal | None = None,
    amount: Decimal | None = None,
    currency: str = "",
    periods: int | None = None,
    max_redemptions: int | None = None,
    expires_at: datetime | None = None,
) -> Coupon:
    """So many percent, or an `amount` of `currency`, off each of `periods` billing periods (None: of all).

    It may be redeemed up to `expires_at`, at most `max_redemptions` times. Raises `CouponInvalid`, `KeyTaken`.
    """
    errors: list[FieldError] = []
    if (percent is None) == (amount is None):
        errors.append(FieldError("/percent", "ambiguous", "A coupon takes off either percent or an amount"))
    if (amount is None) != (not currency):
        errors.append(FieldError("/currency", "required", "An amount has a currency, a percentage has none"))
    if percent is not None and not 0 < percent <= 100:
        errors.append(FieldError("/percent", "out_of_range", "A percentage is above 0 and at most 100"))
    if amount is not None and (amount <= 0 or amount != round_to_currency(amount, currency)):
        errors.append(FieldError("/amount", "amount_invalid", "More than nothing, in the currency's digits"))
    if errors:
        raise CouponInvalid(errors[0].detail, errors=errors)
    try:
        with transaction.atomic():
            coupon = Coupon.objects.create(
                organization=organization,
                key=key,
                name=name or key,
                percent=percent,
                amount=amount,
                currency=currency,
                periods=periods,
                max_redemptions=max_redemptions,
                expires_at=expires_at,
            )
            record_audit(
                organization_id=organization.pk,
                action="coupon.create",
                target=key,
                percent=percent,
                amount=amount,
                currency=currency,
                periods=periods,
                max_redemptions=max_redemptions,
            )
    except IntegrityError:
        raise KeyTaken(f"There is a coupon {key!r} already") from None
    return coupon


def redeem_coupon(
    *, subscription: Subscription, coupon: Coupon, now: datetime, since: datetime | None = None
) -> CouponRedemption:
    """Put a coupon on a subscription, from the billing period of `now` on (its first one, where that has not begun), or
    of `since`, for a subscription that began in the past.

    What is invoiced already stays as it is. Raises `CouponUnavailable`, `CouponRedeemed`, `CurrencyMismatch`.
    """
    with transaction.atomic():
        locked = Coupon.objects.select_for_update().get(pk=coupon.pk)
        if locked.expires_at is not None and now > locked.expires_at:
            raise CouponUnavailable("This coupon has expired")
        redeemed = locked.redemptions.count()
        if locked.max_redemptions is not None and redeemed >= locked.max_redemptions:
            raise CouponUnavailable("This coupon was redeemed as often as it may be")
        if locked.currency and locked.currency != subscription.customer.currency:
            raise CurrencyMismatch(f"The coupon is in {locked.currency}, not in the customer's currency")
        if locked.redemptions.filter(subscription=subscription).exists():
            raise CouponRedeemed("This subscription has or had this coupon")
        starts_at = billing_period_at(subscription, since or now).start
        redemption = CouponRedemption.objects.create(
            organization_id=subscription.organization_id,
            coupon=locked,
            customer=subscription.customer,
            subscription=subscription,
            starts_at=starts_at,
            ends_at=_end(subscription, starts_at, locked.periods),
            created_at=now,
        )
        _note(redemption, "redeem")
    return redemption


def remove_coupon(*, redemption: CouponRedemption, subscription: Subscription, now: datetime) -> CouponRedemption:
    """Let a coupon end with the billing period of `now`, where it would last longer."""
    ends_at = period_end(subscription, now)
    if redemption.ends_at is None or ends_at < redemption.ends_at:
        redemption.ends_at = ends_at
        with transaction.atomic():
            redemption.save(update_fields=["ends_at"])
            _note(redemption, "remove")
    return redemption


def _note(redemption: CouponRedemption, done: str) -> None:
    record_audit(
        organization_id=redemption.organization_id,
        action=f"coupon.{done}",
        target=redemption.coupon.key,
        customer=redemption.customer.key,
        subscription=redemption.subscription_id,
        starts_at=redemption.starts_at.isoformat(),
        ends_at=redemption.ends_at.isoformat() if redemption.ends_at else None,
    )


def _end(subscription: Subscription, starts_at: datetime, periods: int | None) -> datetime | None:
    """The end of the last of so many billing periods, as its plan is known now; None for one beyond all calendars."""
    if periods is None:
        return None
    ends_at = starts_at
    for _ in range(periods):
        if ends_at.year >= _LAST_YEAR:
            return None
        ends_at = period_end(subscription, ends_at)
    return ends_at
