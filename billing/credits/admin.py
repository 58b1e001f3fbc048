"""Admin of credit grants, coupons and charges."""

from __future__ import annotations

from django.contrib import admin

from billing.models import Coupon, CouponRedemption, CreditGrant, CreditMovement, InvoiceDiscount
from rest.admin import ReadOnlyAdmin, ReadOnlyInline


class CreditMovementInline(ReadOnlyInline):
    model = CreditMovement
    fields = ("occurred_at", "kind", "amount", "invoice")


@admin.register(CreditGrant)
class CreditGrantAdmin(ReadOnlyAdmin):
    list_display = ("name", "customer", "organization", "amount", "balance", "currency", "expires_at")
    list_select_related = ("customer", "organization")
    search_fields = ("=id", "=customer__key")
    ordering = ("-pk",)
    inlines = (CreditMovementInline,)


@admin.register(CreditMovement)
class CreditMovementAdmin(ReadOnlyAdmin):
    list_display = ("grant", "kind", "amount", "invoice", "occurred_at")
    list_select_related = ("grant", "invoice")
    search_fields = ("=grant__id", "=invoice__number")
    ordering = ("-pk",)


@admin.register(Coupon)
class CouponAdmin(ReadOnlyAdmin):
    list_display = ("name", "key", "organization", "percent", "amount", "currency", "periods")
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-pk",)


@admin.register(CouponRedemption)
class CouponRedemptionAdmin(ReadOnlyAdmin):
    list_display = ("coupon", "customer", "starts_at", "ends_at")
    list_select_related = ("coupon", "customer")
    search_fields = ("=id", "=customer__key")
    ordering = ("-pk",)


@admin.register(InvoiceDiscount)
class InvoiceDiscountAdmin(ReadOnlyAdmin):
    list_display = ("invoice", "redemption", "amount")
    list_select_related = ("invoice", "redemption__coupon", "redemption__customer")
    search_fields = ("=invoice__number",)
    ordering = ("-pk",)
