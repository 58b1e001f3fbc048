from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from inference.models import Model
from inference.services.catalogue import recall_model
from kernel.clock import system_clock
from rest.admin import ReadOnlyAdmin


@admin.register(Model)
class CatalogueAdmin(ReadOnlyAdmin):
    list_display = (
        "key", "architecture", "quantization", "parameters", "context_length", "license", "loaded_at", "recalled_at",
    )  # fmt: skip
    list_filter = (("recalled_at", admin.EmptyFieldListFilter),)
    search_fields = ("key", "name", "=digest")
    search_help_text = "Key, name or digest. New ones: manage.py add_model FILE."
    ordering = ("key", "digest")
    actions = ("recall",)

    @admin.action(description="Recall the chosen models, for good")
    def recall(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        for model in queryset.filter(recalled_at=None):
            actor = request.user.get_username()
            recall_model(model=model, reason=f"recalled in the admin by {actor}", actor=actor, now=system_clock())
            self.message_user(request, f"{model.key} is recalled: engines refuse it from now on.", messages.SUCCESS)
