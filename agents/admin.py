from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agents.models import Agent, AgentVersion
from rest.admin import KeptAdmin, ReadOnlyAdmin, ReadOnlyInline


class AgentVersionInline(ReadOnlyInline):
    model = AgentVersion
    fields = ("version", "created_at")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("agent")


@admin.register(Agent)
class AgentAdmin(KeptAdmin):
    """What an agent is called may change. Agents and versions come to be where they work, not here."""

    list_display = ("name", "key", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "=key", "=id")
    ordering = ("-id",)
    fields = ("id", "organization", "key", "name", "description", "created_at")
    readonly_fields = ("id", "organization", "key", "created_at")
    inlines = (AgentVersionInline,)


@admin.register(AgentVersion)
class AgentVersionAdmin(ReadOnlyAdmin):
    list_display = ("agent", "version", "created_at")
    list_select_related = ("agent",)
    search_fields = ("=agent__key", "=version")
    ordering = ("-id",)
