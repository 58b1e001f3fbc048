from __future__ import annotations

from django.contrib import admin

from billing.models import InvoiceIdentity, SellerLogo, SellerProfile
from rest.admin import ReadOnlyAdmin


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
