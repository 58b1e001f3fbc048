from __future__ import annotations

from django.contrib import admin

from collection.models import (
    BankTransfer,
    CollectionPolicy,
    InvoiceCollection,
    PayingCustomer,
    ProviderCall,
    ProviderDispute,
    ProviderEvent,
    ProviderPayment,
    ProviderRefund,
    Reconciliation,
    ReconciliationDifference,
    StripeAccount,
    StripeMeter,
    UsagePush,
)
from rest.admin import OperatorAdmin, ReadOnlyAdmin, ReadOnlyInline


@admin.register(CollectionPolicy)
class CollectionPolicyAdmin(OperatorAdmin):
    list_display = ("organization", "is_active", "provider", "suspend_after_days")
    list_select_related = ("organization",)
    autocomplete_fields = ("organization",)


@admin.register(StripeAccount)
class StripeAccountAdmin(ReadOnlyAdmin):
    """The secrets are shown to nobody, encrypted as they are."""

    list_display = ("organization", "key_hint", "is_live", "created_at")
    list_select_related = ("organization",)
    exclude = ("api_key", "webhook_secret")
    ordering = ("-pk",)


@admin.register(PayingCustomer)
class PayingCustomerAdmin(ReadOnlyAdmin):
    list_display = ("customer", "provider", "stripe_customer", "payment_method_hint")
    list_select_related = ("customer",)
    search_fields = ("=customer__key", "=stripe_customer")
    ordering = ("-pk",)


@admin.register(ProviderCall)
class ProviderCallAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "state", "invoice", "amount", "currency", "tries", "error_code")
    list_filter = ("state", "kind")
    list_select_related = ("invoice",)
    search_fields = ("=id", "=provider_id", "=invoice__number")
    ordering = ("-pk",)


class ProviderRefundInline(ReadOnlyInline):
    model = ProviderRefund
    fields = ("provider_id", "amount", "status", "created_at")


class ProviderDisputeInline(ReadOnlyInline):
    model = ProviderDispute
    fields = ("provider_id", "amount", "reason", "status")


@admin.register(ProviderPayment)
class ProviderPaymentAdmin(ReadOnlyAdmin):
    list_display = ("provider_id", "invoice", "amount", "surplus", "currency", "received_at")
    list_select_related = ("invoice",)
    search_fields = ("=id", "=provider_id", "=charge_id", "=invoice__number")
    ordering = ("-pk",)
    inlines = (ProviderRefundInline, ProviderDisputeInline)


@admin.register(ProviderRefund)
class ProviderRefundAdmin(ReadOnlyAdmin):
    list_display = ("provider_id", "provider_payment", "amount", "status")
    list_select_related = ("provider_payment",)
    search_fields = ("=provider_id",)
    ordering = ("-pk",)


@admin.register(ProviderDispute)
class ProviderDisputeAdmin(ReadOnlyAdmin):
    list_display = ("provider_id", "provider_payment", "amount", "reason", "status")
    list_select_related = ("provider_payment",)
    search_fields = ("=provider_id",)
    ordering = ("-pk",)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "type", "object_id", "received_at", "handled_at", "tries")
    search_fields = ("=event_id", "=object_id")
    ordering = ("-pk",)


@admin.register(BankTransfer)
class BankTransferAdmin(ReadOnlyAdmin):
    list_display = ("reference", "organization", "amount", "currency", "invoice", "unmatched", "received_at")
    list_select_related = ("organization", "invoice")
    search_fields = ("=reference", "=invoice__number")
    ordering = ("-pk",)


@admin.register(InvoiceCollection)
class InvoiceCollectionAdmin(ReadOnlyAdmin):
    list_display = ("invoice", "customer", "state", "failed_charges", "next_charge_at", "closed_at")
    list_filter = ("state",)
    list_select_related = ("invoice", "customer")
    search_fields = ("=invoice__number", "=customer__key")
    ordering = ("-pk",)


class ReconciliationDifferenceInline(ReadOnlyInline):
    model = ReconciliationDifference
    fields = ("kind", "subject", "invoice", "here", "there", "detail")


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = ("id", "organization", "provider", "started_at", "finished_at", "compared")
    list_select_related = ("organization",)
    search_fields = ("=id",)
    ordering = ("-pk",)
    inlines = (ReconciliationDifferenceInline,)


@admin.register(ReconciliationDifference)
class ReconciliationDifferenceAdmin(ReadOnlyAdmin):
    list_display = ("reconciliation", "kind", "subject", "here", "there")
    list_select_related = ("reconciliation",)
    search_fields = ("=subject",)
    ordering = ("-pk",)


@admin.register(StripeMeter)
class StripeMeterAdmin(ReadOnlyAdmin):
    list_display = ("organization", "meter", "event_name", "since")
    list_select_related = ("organization",)
    search_fields = ("=meter", "=event_name")
    ordering = ("-pk",)


@admin.register(UsagePush)
class UsagePushAdmin(ReadOnlyAdmin):
    list_display = ("stripe_meter", "customer", "start", "revision", "quantity", "call")
    list_select_related = ("stripe_meter", "customer", "call")
    search_fields = ("=customer__key",)
    ordering = ("-pk",)
