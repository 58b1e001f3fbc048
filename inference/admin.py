from django.contrib import admin
from unfold.admin import ModelAdmin

from inference.models import Model


@admin.register(Model)
class CatalogueAdmin(ModelAdmin):
    list_display = ("key", "architecture", "quantization", "parameters", "context_length", "license", "loaded_at")
    search_fields = ("key", "name", "digest")

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False
