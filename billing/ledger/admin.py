"""Admin of the ledger."""

from __future__ import annotations

from django.contrib import admin

from billing.models import DeferredRevenue, LedgerEntry, LedgerTransaction
from rest.admin import ReadOnlyAdmin, ReadOnlyInline


class LedgerEntryInline(ReadOnlyInline):
    model = LedgerEntry
    fields = ("account", "amount")


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "customer", "organization", "currency", "occurred_at")
    list_filter = ("kind", "organization")
    list_select_related = ("customer", "organization")
    search_fields = ("=id", "=source", "=customer__key")
    ordering = ("-id",)
    inlines = (LedgerEntryInline,)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ("transaction", "account", "amount")
    list_filter = ("account",)
    list_select_related = ("transaction",)
    search_fields = ("=transaction__id",)
    ordering = ("-id",)


@admin.register(DeferredRevenue)
class DeferredRevenueAdmin(ReadOnlyAdmin):
    list_display = ("customer", "amount", "currency", "starts_on", "ends_on", "recognized", "recognized_until")
    list_select_related = ("customer",)
    search_fields = ("=customer__key", "=line__id", "=line__invoice__number")
    ordering = ("-id",)
