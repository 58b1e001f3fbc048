"""Admin of customers, subscriptions and sellers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from rest_framework import serializers

from billing.customers.api import CustomerInput
from billing.models import (
    Customer,
    InvoiceIdentity,
    PlanChange,
    SeatChange,
    SellerLogo,
    SellerProfile,
    Subscription,
    SubscriptionAddOn,
    SubscriptionPause,
    TestClock,
)
from rest.admin import OperatorAdmin, ReadOnlyAdmin, ReadOnlyInline


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checks what the API checks, with the API's own rules."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given: dict[str, Any] = {name: cleaned[name] for name in map(str, CustomerInput().fields) if name in cleaned}
        if "tax_rate" in given:
            given["tax_rate"] = str(given["tax_rate"])
        checked = CustomerInput(data=given, partial=True)
        try:
            checked.is_valid(raise_exception=True)
        except serializers.ValidationError as error:
            detail = error.detail if isinstance(error.detail, dict) else {None: error.detail}
            for name, faults in detail.items():
                self.add_error(name if name in self.fields else None, [str(fault) for fault in faults])
        return cleaned


@admin.register(Customer)
class CustomerAdmin(OperatorAdmin):
    form = CustomerForm
    list_display = ("name", "key", "organization", "currency", "timezone", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id", "=email")
    ordering = ("-id",)
    autocomplete_fields = ("organization",)
    readonly_fields = ("id", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Events name the key, and invoices are in the currency.
        return self.readonly_fields + (("organization", "key", "currency") if obj else ())


class SubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        customer = cleaned.get("customer") or getattr(self.instance, "customer", None)
        version = cleaned.get("plan_version") or getattr(self.instance, "plan_version", None)
        if customer is None or version is None:
            return cleaned
        if version.plan.organization_id != customer.organization_id:
            raise ValidationError("The plan belongs to another organization than the customer.")
        if version.currency != customer.currency:
            raise ValidationError(f"The plan is in {version.currency}, the customer pays in {customer.currency}.")
        if not cleaned.get("seats") and version.prices.filter(kind="seat").exists():
            raise ValidationError({"seats": "This plan has a price per seat: say how many."})
        return cleaned


class SeatChangeInline(ReadOnlyInline):
    model = SeatChange
    fields = ("seats", "starts_at", "created_at")


class PlanChangeInline(ReadOnlyInline):
    model = PlanChange
    fields = ("plan_version", "starts_at", "created_at")


class PauseInline(ReadOnlyInline):
    model = SubscriptionPause
    fields = ("starts_at", "ends_at", "created_at")


class AddOnInline(ReadOnlyInline):
    model = SubscriptionAddOn
    fields = ("plan_version", "quantity", "starts_at", "ends_at")


@admin.register(TestClock)
class TestClockAdmin(ReadOnlyAdmin):
    """Clocks of test customers; they are moved through the API."""

    list_display = ("id", "organization", "now", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    ordering = ("-id",)


@admin.register(SeatChange)
class SeatChangeAdmin(ReadOnlyAdmin):
    """Seats that changed after a subscription's start; they are changed through the API."""

    list_display = ("subscription", "seats", "starts_at", "created_at")
    list_select_related = ("subscription__customer", "subscription__plan_version__plan")
    search_fields = ("=subscription__id", "=subscription__customer__key")
    ordering = ("-id",)


@admin.register(Subscription)
class SubscriptionAdmin(OperatorAdmin):
    """Who is on which plan. Months that are invoiced stay as they are; what changes here counts for the others."""

    form = SubscriptionForm
    list_display = ("customer", "plan_version", "organization", "starts_at", "ends_at", "seats")
    list_filter = ("organization", ("ends_at", admin.EmptyFieldListFilter))
    list_select_related = ("customer", "plan_version__plan", "organization")
    search_fields = ("=id", "=customer__key", "customer__name")
    ordering = ("-id",)
    autocomplete_fields = ("customer", "plan_version")
    fields = ("customer", "plan_version", "starts_at", "ends_at", "anchor", "trial_days", "seats")
    inlines = (SeatChangeInline, PlanChangeInline, PauseInline, AddOnInline)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("customer", "plan_version", "starts_at", "anchor", "trial_days", "seats") if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.organization_id = obj.customer.organization_id
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is ended, not deleted


@admin.register(PlanChange)
class PlanChangeAdmin(ReadOnlyAdmin):
    """Plans that changed after a subscription's start; they are changed through the API."""

    list_display = ("subscription", "plan_version", "starts_at", "created_at")
    list_select_related = ("subscription__customer", "subscription__plan_version__plan", "plan_version__plan")
    search_fields = ("=subscription__id", "=subscription__customer__key")
    ordering = ("-id",)


@admin.register(SubscriptionPause)
class SubscriptionPauseAdmin(ReadOnlyAdmin):
    list_display = ("subscription", "starts_at", "ends_at")
    list_select_related = ("subscription__customer", "subscription__plan_version__plan")
    search_fields = ("=subscription__id", "=subscription__customer__key")
    ordering = ("-id",)


@admin.register(SubscriptionAddOn)
class SubscriptionAddOnAdmin(ReadOnlyAdmin):
    list_display = ("subscription", "plan_version", "quantity", "starts_at", "ends_at")
    list_select_related = ("subscription__customer", "subscription__plan_version__plan", "plan_version__plan")
    search_fields = ("=id", "=subscription__id", "=subscription__customer__key")
    ordering = ("-id",)


@admin.register(SellerProfile)
class SellerProfileAdmin(ReadOnlyAdmin):
    list_display = ("legal_name", "organization", "version", "country", "vat_id", "locale", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("=id", "legal_name", "=vat_id")
    ordering = ("-id",)


@admin.register(SellerLogo)
class SellerLogoAdmin(ReadOnlyAdmin):
    list_display = ("digest", "organization", "media_type")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("=digest",)
    fields = ("organization", "digest", "media_type")
    ordering = ("-id",)


@admin.register(InvoiceIdentity)
class InvoiceIdentityAdmin(ReadOnlyAdmin):
    list_display = ("invoice", "seller")
    list_select_related = ("invoice", "seller")
    search_fields = ("=invoice__number", "=invoice__id")
    ordering = ("-invoice_id",)
