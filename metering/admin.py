from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.facade import Organization
from metering.decoding import event_identity
from metering.models import (
    ArchivedOrganization,
    EventCorrection,
    EventIdentity,
    LogArchive,
    Meter,
    MeterVersion,
    NamedUsage,
    QuarantinedEvent,
    Redaction,
    SubjectAlias,
    UsageBucket,
    UsageEvent,
    VoidRun,
)
from rest.admin import KeptAdmin, ReadOnlyAdmin, ReadOnlyInline

#: Organizations whose events a search looks for by source and id.
_MAX_ORGANIZATIONS = 1_000


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin):
    """The log, newest first within each organization. Every order and search here follows an index."""

    list_display = ("event_id", "type", "organization", "subject", "time", "received_at", "source")
    list_select_related = ("organization",)
    list_filter = ("organization",)
    ordering = ("-organization_id", "-xid", "-identity")
    sortable_by = ()
    list_per_page = 50
    search_fields = ("identity",)  # shows the search box; get_search_results does the work
    search_help_text = "An identity (UUID), a source and an id with a space between them, or a customer's key, exactly"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(_of_identities([UUID(term)])), False
        except ValueError:
            pass
        organizations = list(Organization.objects.order_by("-pk").values_list("pk", flat=True)[:_MAX_ORGANIZATIONS])
        wanted = Q(organization__in=organizations, subject=term)
        source, space, event_id = term.partition(" ")
        if space:
            wanted |= _of_identities([event_identity(one, source, event_id) for one in organizations])
        return queryset.filter(wanted), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> UsageEvent | None:
        try:
            wanted = _of_identities([UUID(object_id)])
        except ValueError:
            return None
        return self.get_queryset(request).filter(wanted).first()


def _of_identities(identities: list[UUID]) -> Q:
    """The events with these identities, found by the log's index of times."""
    known = list(EventIdentity.objects.filter(pk__in=identities))
    organizations = Organization.objects.values("pk")
    return Q(
        organization__in=organizations, time__in=[one.time for one in known], identity__in=[one.pk for one in known]
    )


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "source", "type", "organization", "subject", "time", "reason", "state", "received_at")
    list_filter = ("state", "reason")
    list_select_related = ("organization",)
    ordering = ("-id",)


@admin.register(EventIdentity)
class EventIdentityAdmin(ReadOnlyAdmin):
    list_display = ("identity", "time", "content_hash")
    search_fields = ("=identity",)
    search_help_text = "An identity (UUID)"
    ordering = ("-identity",)
    sortable_by = ()


class ArchivedOrganizationInline(ReadOnlyInline):
    model = ArchivedOrganization
    fields = ("organization", "events", "first_time", "last_time")


@admin.register(LogArchive)
class LogArchiveAdmin(ReadOnlyAdmin):
    """Files with the events of months that have left the log."""

    list_display = ("month", "part", "events", "size", "file", "created_at")
    inlines = (ArchivedOrganizationInline,)


@admin.register(ArchivedOrganization)
class ArchivedOrganizationAdmin(ReadOnlyAdmin):
    list_display = ("archive", "organization", "events", "first_time", "last_time")
    list_select_related = ("archive", "organization")
    ordering = ("-id",)


@admin.register(EventCorrection)
class EventCorrectionAdmin(ReadOnlyAdmin):
    list_display = ("sent_id", "source", "type", "organization", "subject", "time", "reason", "created_at")
    list_select_related = ("organization",)
    search_fields = ("=id",)
    ordering = ("-id",)
    sortable_by = ()
    exclude = ("event",)
    readonly_fields = ("identity",)

    @admin.display
    def identity(self, correction: EventCorrection) -> str:
        return str(correction.event_id)


class MeterVersionInline(ReadOnlyInline):
    model = MeterVersion
    fields = ("number", "definition", "projected_to", "created_at")


@admin.register(Meter)
class MeterAdmin(KeptAdmin):
    """What a meter is called may change; what it counts stands in its versions, which are made through the API."""

    list_display = ("name", "key", "unit", "organization", "created_at")
    list_select_related = ("organization",)
    list_filter = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)
    fields = ("id", "organization", "key", "name", "unit", "created_at")
    readonly_fields = ("id", "organization", "key", "created_at")
    inlines = (MeterVersionInline,)


@admin.register(MeterVersion)
class MeterVersionAdmin(ReadOnlyAdmin):
    list_display = ("meter", "number", "event_type", "aggregation", "projected_to", "created_at")
    list_select_related = ("meter",)
    search_fields = ("=meter__key", "=meter__id")
    ordering = ("-id",)

    @admin.display(description="Event type")
    def event_type(self, version: MeterVersion) -> Any:
        return version.definition.get("event_type")

    @admin.display
    def aggregation(self, version: MeterVersion) -> Any:
        return version.definition.get("aggregation")


@admin.register(UsageBucket)
class UsageBucketAdmin(ReadOnlyAdmin):
    """The projection, by meter version, scope and customer. Made from the log: nothing here needs repair."""

    list_display = ("meter_version", "scope", "day", "subject", "dimensions", "value", "events", "quantity")
    list_select_related = ("meter_version__meter",)
    search_fields = ("=meter_version__meter__id", "=subject")
    search_help_text = "A meter's id, or a customer's key, exactly"
    ordering = ("-meter_version_id", "-scope", "-subject", "-day")
    sortable_by = ()
    list_per_page = 50


@admin.register(SubjectAlias)
class SubjectAliasAdmin(ReadOnlyAdmin):
    list_display = ("subject", "target", "organization", "created_at", "settled_at")
    list_select_related = ("organization",)
    search_fields = ("=subject", "=target", "=organization__key")
    ordering = ("-id",)


@admin.register(Redaction)
class RedactionAdmin(ReadOnlyAdmin):
    list_display = ("subject", "organization", "events", "created_at", "finished_at")
    list_select_related = ("organization",)
    search_fields = ("=subject", "=organization__key")
    ordering = ("-id",)
    fields = ("organization", "subject", "events", "created_at", "finished_at")


@admin.register(VoidRun)
class VoidRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "organization", "sent_by", "events", "voided", "created_at", "finished_at")
    list_select_related = ("organization",)
    search_fields = ("=id", "=sent_by", "=organization__key")
    ordering = ("-id",)


@admin.register(NamedUsage)
class NamedUsageAdmin(ReadOnlyAdmin):
    list_display = ("subject", "subscription", "day", "organization")
    list_select_related = ("organization",)
    list_filter = ("organization",)
    search_fields = ("subject", "subscription")
