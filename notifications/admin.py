from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from kernel.clock import system_clock
from kernel.errors import ConflictError
from notifications.models import (
    Mail,
    MailSettings,
    MailStatus,
    SenderLease,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from notifications.services.mailing import retry_mail
from notifications.services.replaying import replay_delivery
from rest.admin import ReadOnlyAdmin

#: Rows of a list that one action takes.
_MOST = 1000


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
    actions = ("send_again",)

    @admin.action(description="Send the chosen once more")
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        actor = request.user.get_username()
        sent, refused = 0, set()
        for delivery in queryset[:_MOST]:
            try:
                replay_delivery(delivery=delivery, now=system_clock(), actor=actor)
                sent += 1
            except ConflictError as error:
                refused.add(error.detail)
        _say(self, request, f"{sent} go out once more, each under its id.", refused)


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
    actions = ("send_again",)

    @admin.action(description="Send the chosen that failed once more")
    def send_again(self, request: HttpRequest, queryset: QuerySet[Mail]) -> None:
        actor = request.user.get_username()
        failed = list(queryset.filter(status=MailStatus.FAILED)[:_MOST])
        for mail in failed:
            retry_mail(mail=mail, now=system_clock(), actor=actor)
        _say(self, request, f"{len(failed)} that had failed go out once more.", set())


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


def _say(table: ReadOnlyAdmin, request: HttpRequest, done: str, refused: set[str]) -> None:
    table.message_user(request, done, messages.SUCCESS)
    for detail in sorted(refused):
        table.message_user(request, detail, messages.WARNING)
