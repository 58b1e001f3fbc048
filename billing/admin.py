from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from rest_framework import serializers

from billing.api.present import money
from billing.api.serializers import CustomerInput
from billing.models import (
    BillingRun,
    Customer,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    Plan,
    PlanVersion,
    Price,
    SeatChange,
    Subscription,
    TestClock,
)
from rest.admin import KeptAdmin, OperatorAdmin, ReadOnlyAdmin, ReadOnlyInline


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checks what the API checks, with the API's own rules."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {name: cleaned[name] for name in CustomerInput().fields if name in cleaned}
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
    inlines = (SeatChangeInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("customer", "plan_version", "starts_at", "anchor", "trial_days", "seats") if obj else ()

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        if not change:
            obj.organization_id = obj.customer.organization_id
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is ended, not deleted


class PlanVersionInline(ReadOnlyInline):
    model = PlanVersion
    fields = ("number", "currency", "interval", "created_at")
    show_change_link = True


@admin.register(Plan)
class PlanAdmin(KeptAdmin):
    """What a plan is called may change; prices stand in versions, which are made through the API."""

    list_display = ("name", "key", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)
    fields = ("id", "organization", "key", "name", "created_at")
    readonly_fields = ("id", "organization", "key", "created_at")
    inlines = (PlanVersionInline,)


class PriceInline(ReadOnlyInline):
    model = Price
    fields = ("key", "name", "kind", "meter", "filter", "included", "minimum", "maximum", "prorate", "model")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("meter")


@admin.register(PlanVersion)
class PlanVersionAdmin(ReadOnlyAdmin):
    list_display = ("plan", "number", "currency", "interval", "created_at")
    list_select_related = ("plan",)
    search_fields = ("plan__name", "=plan__key", "=id")
    ordering = ("-id",)
    inlines = (PriceInline,)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    list_display = ("name", "key", "plan_version", "kind", "meter")
    list_filter = ("kind",)
    list_select_related = ("plan_version__plan", "meter")
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)


class InvoiceLineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = ("description", "kind", "quantity", "unit_amount", "line_amount", "line_tax", "events_behind")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description="Amount")
    def line_amount(self, line: InvoiceLine) -> str:
        return _amount(line.amount, line.invoice.currency)

    @admin.display(description="Tax")
    def line_tax(self, line: InvoiceLine) -> str:
        return _amount(line.tax, line.invoice.currency)

    @admin.display(description="Events")
    def events_behind(self, line: InvoiceLine) -> str:
        return _events_link(line)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "customer", "organization", "month", "amount", "status", "finalized_at")
    list_filter = ("status", "organization")
    list_select_related = ("customer", "organization")
    search_fields = ("=number", "=id", "=customer__key", "=month")
    search_help_text = "A number, an id, a customer's key or a month, exactly"
    ordering = ("-id",)
    inlines = (InvoiceLineInline,)

    @admin.display(description="Total", ordering="total")
    def amount(self, invoice: Invoice) -> str:
        return _amount(invoice.total, invoice.currency)


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnlyAdmin):
    list_display = ("description", "invoice", "kind", "quantity", "amount_due", "events_behind")
    list_filter = ("kind",)
    list_select_related = ("invoice",)
    search_fields = ("=id", "=invoice__number")
    ordering = ("-id",)
    readonly_fields = ("events_behind",)

    @admin.display(description="Amount")
    def amount_due(self, line: InvoiceLine) -> str:
        return _amount(line.amount, line.invoice.currency)

    @admin.display(description="Events")
    def events_behind(self, line: InvoiceLine) -> str:
        return _events_link(line)


@admin.register(InvoiceCounter)
class InvoiceCounterAdmin(ReadOnlyAdmin):
    list_display = ("organization", "last")
    list_select_related = ("organization",)
    ordering = ("organization_id",)


@admin.register(BillingRun)
class BillingRunAdmin(ReadOnlyAdmin):
    list_display = ("month", "organization", "status", "done", "total", "invoices", "created_at", "finished_at")
    list_filter = ("status", "organization")
    list_select_related = ("organization",)
    search_fields = ("=id", "=month")
    ordering = ("-id",)


def _amount(amount: Any, currency: str) -> str:
    return f"{money(amount, currency)} {currency}"


def _events_link(line: InvoiceLine) -> str:
    """How many events a usage line counted, with the way to them in the console."""
    if line.meter_version_id is None:
        return "-"
    try:
        address = reverse("console:line_events", args=[line.invoice_id, line.pk])
    except NoReverseMatch:
        return str(line.events)
    return format_html('<a class="text-primary-600" href="{}">{}</a>', address, f"{line.events:,}")
