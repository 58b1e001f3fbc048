from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import ApiKey, AuditEntry, Membership, Organization, User
from accounts.services.api_keys import revoke_api_key
from accounts.services.audit import record_audit
from kernel.clock import system_clock
from rest.admin import KeptAdmin, OperatorAdmin, OperatorsOnly, ReadOnlyAdmin

admin.site.unregister(Group)  # roles are memberships; Django's groups would grant nothing


class MembershipInline(OperatorsOnly, TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("organization",)


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    list_display = ("name", "key", "public_id", "created_at")
    search_fields = ("name", "=key", "=public_id")
    search_help_text = "Name, key or id. New ones: manage.py create_organization NAME, which adds the standard meters."
    ordering = ("name", "id")
    fields = ("public_id", "key", "name", "created_at")
    readonly_fields = ("public_id", "key", "created_at")


@admin.register(User)
class UserAdmin(OperatorsOnly, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_superuser", "is_active", "last_login")
    list_filter = ("is_superuser", "is_active")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("Operator", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
    inlines = (MembershipInline,)


@admin.register(Membership)
class MembershipAdmin(OperatorAdmin):
    list_display = ("user", "organization", "role")
    list_filter = ("role",)
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "organization__name", "=organization__key")
    ordering = ("-id",)
    autocomplete_fields = ("organization", "user")


@admin.register(ApiKey)
class ApiKeyAdmin(KeptAdmin):
    """Keys by what tells them apart. Their secrets are known to nobody, and made where they can be shown once."""

    list_display = ("name", "hint", "organization", "scopes", "created_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("organization",)
    search_fields = ("name", "=id", "=organization__key")
    ordering = ("-id",)
    fields = ("id", "organization", "name", "hint", "scopes", "created_at", "revoked_at")
    readonly_fields = ("id", "organization", "hint", "scopes", "created_at", "revoked_at")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_operator(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        messages.info(
            request,
            "A key's secret is shown once, where it is made: manage.py create_api_key --organization O --scope SCOPE",
        )
        return HttpResponseRedirect(reverse("admin:accounts_apikey_changelist"))

    @admin.action(description="Revoke the chosen keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        keys = list(queryset.filter(revoked_at=None))
        for key in keys:
            revoke_api_key(key=key, at=system_clock())
            record_audit(
                organization_id=key.organization_id,
                actor=request.user.get_username(),
                action="api_key.revoke",
                target=key.pk,
            )
        self.message_user(request, f"{len(keys)} key(s) revoked: they open nothing any more.", messages.SUCCESS)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "organization", "actor", "action", "target")
    list_select_related = ("organization",)
    search_fields = ("=actor", "=action", "=target")
    ordering = ("-id",)
