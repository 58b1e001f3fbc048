from __future__ import annotations

from django.contrib import admin

from notifications.models import (
    Mail,
    MailSettings,
    SenderLease,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from rest.admin import ReadOnlyAdmin


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Without their secrets. They are changed in the console, which knows the organization's roles."""

    list_display = ("url", "organization", "enabled", "disabled_for", "failing_since", "last_delivered_at")
    list_filter = ("enabled", "disabled_for")
    list_select_related = ("organization",)
    search_fields = ("=id", "=organization__key", "url")
    ordering = ("-id",)
    exclude = ("secret", "previous_secret")


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "organization", "type", "subject", "at", "is_distributed")
    list_select_related = ("organization",)
    search_fields = ("=public_id", "=subject")
    ordering = ("-id",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "endpoint", "subject", "status", "attempts", "last_status_code", "last_error")
    list_filter = ("status",)
    list_select_related = ("endpoint",)
    search_fields = ("=public_id", "=subject")
    ordering = ("-id",)


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    list_display = ("delivery", "at", "duration_ms", "status_code", "error")
    list_select_related = ("delivery",)
    search_fields = ("=delivery__public_id",)
    ordering = ("-id",)


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    """Without what they say: some hold links that let people in."""

    list_display = ("id", "organization", "kind", "to", "status", "attempts", "last_error", "created_at")
    list_filter = ("status", "kind")
    list_select_related = ("organization",)
    search_fields = ("=id", "=key")
    ordering = ("-id",)
    exclude = ("context",)


@admin.register(MailSettings)
class MailSettingsAdmin(ReadOnlyAdmin):
    list_display = ("organization", "sender_name", "reply_to", "switched_off")
    list_select_related = ("organization",)
    search_fields = ("=organization__key",)
    ordering = ("organization_id",)


@admin.register(SenderLease)
class SenderLeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "until")
    ordering = ("name",)
