"""Coupons: made, redeemed, removed, and the discounts they give on bills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Sum

from accounts.facade import Organization, record_audit
from billing.errors import CurrencyMismatch, KeyTaken
from billing.invoicing.bills import billing_period_at, period_end
from billing.invoicing.models import InvoiceStatus
from billing.invoicing.priced import Billed, TakenOff
from billing.models import Coupon, CouponRedemption, InvoiceDiscount, Subscription
from billing.rating.discounts import Offer, in_proportion, spread, take_off
from kernel.errors import ConflictError, FieldError, InvalidError, NotFoundError
from kernel.money import round_to_currency
from rest.lookup import find

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Discountable:
    """What coupons look at of a line: the start of its billing period, and what it takes back or repeats."""

    amount: Decimal
    period_start: datetime
    billed: Billed | None = None


class Coupons:
    """The coupons of several subscriptions, and what they have taken off so far. What one bill of a batch has had
    taken off counts for the next; nothing is written."""

    def __init__(self, redemptions: Iterable[CouponRedemption], taken: Mapping[tuple[str, datetime], Decimal]) -> None:
        self._redemptions: dict[str, list[CouponRedemption]] = defaultdict(list)
        for one in redemptions:
            self._redemptions[one.subscription_id].append(one)
        self._taken: dict[tuple[str, datetime], Decimal] = defaultdict(Decimal, taken)

    @classmethod
    def load(cls, *, subscriptions: Iterable[str]) -> Coupons:
        """The coupons of `subscriptions` (ids): a query, and one more where there are any. What a void invoice took
        off may be taken off again."""
        redeemed = CouponRedemption.objects.filter(subscription__in=set(subscriptions))
        redemptions = list(redeemed.select_related("coupon").order_by("id"))
        if not redemptions:
            return cls((), {})
        rows = (
            InvoiceDiscount.objects.filter(redemption__in=redemptions)
            .exclude(invoice__status=InvoiceStatus.VOID)
            .order_by()
            .values_list("redemption_id", "period_start")
            .annotate(taken=Sum("amount"))
        )
        return cls(redemptions, {(redemption, start): amount for redemption, start, amount in rows})

    def discount(
        self, subscription_id: str, lines: Sequence[Discountable], currency: str
    ) -> tuple[list[Decimal], tuple[TakenOff, ...]]:
        """What is taken off each of `lines`, and what each coupon took; both sum to the same."""
        redemptions = self._redemptions.get(subscription_id, [])
        discounts = [ZERO] * len(lines)
        if not redemptions:
            return discounts, ()
        before = dict(self._taken)
        charged: dict[datetime, list[int]] = defaultdict(list)
        for index, line in enumerate(lines):
            if line.billed is None:
                charged[line.period_start].append(index)
            else:
                discounts[index] = in_proportion(
                    line.amount, discount=line.billed.discount, of=line.billed.amount, currency=currency
                )
                self._share(redemptions, line.period_start, discounts[index], currency)
        for start, indexes in charged.items():
            found = self._take(redemptions, start, [lines[index].amount for index in indexes], currency)
            for index, off in zip(indexes, found, strict=True):
                discounts[index] = off
        changed = {key: now - before.get(key, ZERO) for key, now in self._taken.items()}
        return discounts, tuple(TakenOff(one, start, off) for (one, start), off in changed.items() if off)

    def _take(
        self, redemptions: Sequence[CouponRedemption], start: datetime, amounts: Sequence[Decimal], currency: str
    ) -> list[Decimal]:
        """What is taken off new charges of the billing period that begins at `start`."""
        valid = [one for one in redemptions if holds_at(one, start)]
        taken = take_off(amounts, [self._offer(one, start) for one in valid], currency=currency)
        for redemption, parts in zip(valid, taken, strict=True):
            self._taken[redemption.pk, start] += sum(parts, ZERO)
        return [sum(parts, ZERO) for parts in zip(*taken, strict=True)] if taken else [ZERO] * len(amounts)

    def _offer(self, redemption: CouponRedemption, start: datetime) -> Offer:
        coupon = redemption.coupon
        if coupon.amount is None:
            return Offer(percent=coupon.percent)
        return Offer(amount=max(coupon.amount - self._taken[redemption.pk, start], ZERO))

    def _share(
        self, redemptions: Sequence[CouponRedemption], start: datetime, discount: Decimal, currency: str
    ) -> None:
        """Note the discount of a line that follows an earlier one with the coupons that took off that one's."""
        weights = [max(self._taken[one.pk, start], ZERO) for one in redemptions]
        parts = spread(abs(discount), weights if any(weights) else [Decimal(1)], currency=currency)
        for redemption, part in zip(redemptions, parts, strict=False):
            self._taken[redemption.pk, start] += part.copy_sign(discount)


def holds_at(redemption: CouponRedemption, start: datetime) -> bool:
    """Whether it takes anything off the billing period that begins at `start`."""
    return redemption.starts_at <= start and (redemption.ends_at is None or start < redemption.ends_at)


def coupons_of(organization_id: int) -> QuerySet[Coupon]:
    """The organization's coupons."""
    return Coupon.objects.filter(organization_id=organization_id)


def get_coupon(*, organization_id: int, coupon: str) -> Coupon:
    """The coupon with this key or id; `NotFoundError` with code `coupon_not_found`."""
    return find(coupons_of(organization_id), coupon, what="coupon")


def redemptions_of(subscription_id: str) -> QuerySet[CouponRedemption]:
    """A subscription's coupons, in the order of their redemption, with what they took off so far."""
    return (
        CouponRedemption.objects.filter(subscription=subscription_id)
        .select_related("coupon")
        .annotate(taken=Sum("discounts__amount", filter=~Q(discounts__invoice__status=InvoiceStatus.VOID)))
        .order_by("id")
    )


def get_redemption(*, subscription_id: str, coupon: str) -> CouponRedemption:
    """The subscription's redemption with this id, or of the coupon with this key or id; `NotFoundError` with code
    `redemption_not_found`."""
    for one in redemptions_of(subscription_id):
        if coupon in (one.pk, one.coupon_id, one.coupon.key):
            return one
    raise NotFoundError(f"This subscription has no coupon {coupon!r}", code="redemption_not_found")


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


def coupons_follow_first_period(*, subscription: Subscription, before: Subscription) -> None:
    """Let coupons that wait for the subscription's first paid period begin with it, where a trial that was ended or
    another interval moved that period. `before` is the subscription as it was."""
    first, moved = (billing_period_at(one, one.starts_at) for one in (before, subscription))
    if first == moved:
        return
    for redemption in CouponRedemption.objects.filter(subscription=subscription).select_related("coupon"):
        periods = redemption.coupon.periods
        was_removed = redemption.ends_at != _end(before, redemption.starts_at, periods)
        redemption.starts_at = moved.start
        redemption.ends_at = moved.end if was_removed else _end(subscription, moved.start, periods)
        redemption.save(update_fields=["starts_at", "ends_at"])


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
