from __future__ import annotations

from django.contrib import admin

from inference.models import Model
from rest.admin import ReadOnlyAdmin


@admin.register(Model)
class CatalogueAdmin(ReadOnlyAdmin):
    list_display = ("key", "architecture", "quantization", "parameters", "context_length", "license", "loaded_at")
    search_fields = ("key", "name", "=digest")
    ordering = ("key", "digest")
