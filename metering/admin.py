from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts.facade import Organization
from metering.decoding import event_identity
from metering.models import EventCorrection, Meter, MeterVersion, UsageBucket, UsageEvent
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
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            pass
        organizations = list(Organization.objects.order_by("-pk").values_list("pk", flat=True)[:_MAX_ORGANIZATIONS])
        wanted = Q(organization__in=organizations, subject=term)
        source, space, event_id = term.partition(" ")
        if space:
            wanted |= Q(pk__in=[event_identity(one, source, event_id) for one in organizations])
        return queryset.filter(wanted), False


@admin.register(EventCorrection)
class EventCorrectionAdmin(ReadOnlyAdmin):
    list_display = ("event", "organization", "reason", "created_at")
    list_select_related = ("event", "organization")
    search_fields = ("=id", "=event__identity")
    ordering = ("-id",)
    sortable_by = ()


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
