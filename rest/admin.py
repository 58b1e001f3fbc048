"""What every admin of this project shares: who may see it, and how a table that nobody edits is shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.paginator import InfinitePaginator

from kernel.text import TextInvalid, refusal_of, refused_character
from rest.models import IdempotencyRecord


def _one_line_only(value: Any) -> None:
    _refuse(value, lines=False)


def _lines_only(value: Any) -> None:
    _refuse(value, lines=True)


def _refuse(value: Any, *, lines: bool) -> None:
    """Refuse control characters in a text, or in one of a list of texts."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and (found := refused_character(text, lines=lines)):
            raise forms.ValidationError(refusal_of(found), code=TextInvalid.code)


class OperatorsOnly:
    """All of it for superusers, none of it for anybody else: the admin knows no organizations' borders."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_operator(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_operator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_operator(request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The form's field, which refuses control characters in text."""
        found = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(found, forms.CharField) and not isinstance(found, forms.JSONField):
            found.validators.append(_lines_only if isinstance(db_field, models.TextField) else _one_line_only)
        return found

    @staticmethod
    def _is_operator(request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


class KeptForever(OperatorsOnly):
    """May be changed in part, and neither made nor deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnly(KeptForever):
    """History: to be looked at."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _Table(ModelAdmin):
    """A list of rows: nothing is counted to show it, and an organization is found by typing, however many there are."""

    show_full_result_count = False
    list_filter_submit = True

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = super().get_list_filter(request)
        return [(one, AutocompleteSelectFilter) if one == "organization" else one for one in filters]


class OperatorAdmin(OperatorsOnly, _Table):  # type: ignore[misc]
    """A table that operators edit."""


class KeptAdmin(KeptForever, _Table):  # type: ignore[misc]
    """A table whose rows are made elsewhere and stay."""


class ReadOnlyAdmin(ReadOnly, _Table):  # type: ignore[misc]
    """A table nobody edits. It may be long: pages are found without counting its rows."""

    paginator = InfinitePaginator
    actions: Any = None


class ReadOnlyInline(ReadOnly, TabularInline):  # type: ignore[misc]
    """Rows of another table below the one they belong to; `fields` names what to show of them."""

    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnlyAdmin):
    list_display = ("key", "organization_id", "status", "created_at")
    ordering = ("-created_at", "-id")
    search_fields = ("=key",)
    fields = ("organization_id", "key", "status", "created_at")
