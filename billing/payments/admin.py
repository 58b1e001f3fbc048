"""Admin of payments and credit notes."""

from __future__ import annotations

from django.contrib import admin

from billing.models import CreditNote, CreditNoteCounter, CreditNoteLine, Payment
from rest.admin import ReadOnlyAdmin, ReadOnlyInline


class CreditNoteLineInline(ReadOnlyInline):
    model = CreditNoteLine
    fields = ("line", "amount", "tax")


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("invoice", "amount", "currency", "method", "paid_at")
    list_select_related = ("invoice",)
    search_fields = ("=id", "=invoice__number")
    ordering = ("-pk",)


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    list_display = ("number", "invoice", "organization", "total", "currency", "issued_at")
    list_select_related = ("invoice", "organization")
    search_fields = ("=number", "=id", "=invoice__number")
    ordering = ("-pk",)
    inlines = (CreditNoteLineInline,)


@admin.register(CreditNoteLine)
class CreditNoteLineAdmin(ReadOnlyAdmin):
    list_display = ("credit_note", "line", "amount", "tax")
    list_select_related = ("credit_note", "line")
    search_fields = ("=credit_note__number",)
    ordering = ("-pk",)


@admin.register(CreditNoteCounter)
class CreditNoteCounterAdmin(ReadOnlyAdmin):
    list_display = ("organization", "last")
    list_select_related = ("organization",)
    search_fields = ()
    ordering = ("-pk",)
