"""What the coupons of subscriptions take off their bills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from billing.domain.discounts import Offer, in_proportion, spread, take_off
from billing.models import Coupon, CouponRedemption, InvoiceDiscount
from billing.models.invoices import InvoiceStatus
from billing.queries.priced import Billed, TakenOff
from kernel.errors import NotFoundError
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
