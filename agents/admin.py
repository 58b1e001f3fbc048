from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from agents.models import Agent, AgentVersion


class AgentVersionInline(TabularInline):
    model = AgentVersion
    extra = 0
    readonly_fields = ("created_at",)


@admin.register(Agent)
class AgentAdmin(ModelAdmin):
    list_display = ("name", "key", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "key")
    readonly_fields = ("id", "created_at")
    inlines = (AgentVersionInline,)
