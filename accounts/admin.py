from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import (
    ApiKey,
    AuditEntry,
    CustomerKey,
    Invitation,
    Membership,
    Organization,
    PortalAccess,
    PrivacyPolicy,
    Session,
    SignInIdentity,
    SignInProvider,
    Throttle,
    User,
)
from accounts.services.api_keys import revoke_api_key
from accounts.services.audit import act_as
from accounts.services.two_factor import disable_two_factor, end_sessions, record_person
from kernel.clock import system_clock
from rest.admin import KeptAdmin, OperatorAdmin, OperatorsOnly, ReadOnlyAdmin

admin.site.unregister(Group)  # roles are memberships; Django's groups would grant nothing


class MembershipInline(OperatorsOnly, TabularInline):  # type: ignore[misc]
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
class UserAdmin(OperatorsOnly, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
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
    add_fieldsets: Any = (
        (None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),
    )
    inlines = (MembershipInline,)
    actions = ("sign_out", "reset_second_factor")

    @admin.action(description="Sign the chosen out everywhere")
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        act_as(request.user.get_username(), user_id=request.user.pk)
        for user in (chosen := list(queryset)):
            end_sessions(user)
            record_person(user, "person.sign_out_everywhere")
        self.message_user(request, f"{len(chosen)} signed out of all sessions.", messages.SUCCESS)

    @admin.action(description="Take the second factor of the chosen away, who lost it")
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        act_as(request.user.get_username(), user_id=request.user.pk)
        for user in (chosen := list(queryset)):
            disable_two_factor(user)
        self.message_user(request, f"{len(chosen)} sign in by their password alone until they set it up anew.")


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

    list_display = ("name", "hint", "organization", "scopes", "customer", "created_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("organization",)
    search_fields = ("name", "=id", "=organization__key")
    ordering = ("-id",)
    fields = ("id", "organization", "name", "hint", "scopes", "customer", "created_by", "has_maker", "maker", "parent",
              "bounds", "needs_review", "created_at", "expires_at", "last_used_at", "revoked_at")  # fmt: skip
    readonly_fields = tuple(name for name in fields if name != "name")
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
        act_as(request.user.get_username(), user_id=request.user.pk)
        keys = list(queryset.filter(revoked_at=None))
        for key in keys:
            revoke_api_key(key=key, at=system_clock())
        self.message_user(request, f"{len(keys)} key(s) revoked: they open nothing any more.", messages.SUCCESS)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "organization", "actor", "action", "target", "api_key", "address")
    list_filter = (("organization", admin.EmptyFieldListFilter),)
    list_select_related = ("organization",)
    search_fields = ("=actor", "=action", "=target", "=api_key", "=address")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        # Details are decrypted with a key per customer. The list shows none, and a page reads those of its entry.
        return super().get_queryset(request).defer("detail")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("email", "organization", "role", "invited_by", "created_at", "expires_at", "accepted_at")
    list_select_related = ("organization",)
    search_fields = ("=email", "=organization__key")
    ordering = ("-id",)
    fields = ("id", "organization", "email", "role", "invited_by", "created_at", "expires_at", "accepted_at",
              "revoked_at")  # fmt: skip


@admin.register(PortalAccess)
class PortalAccessAdmin(ReadOnlyAdmin):
    list_display = ("customer", "organization", "created_by", "created_at", "used_at", "session_expires_at")
    list_select_related = ("organization",)
    search_fields = ("=customer", "=organization__key", "=created_by")
    ordering = ("-id",)
    fields = ("id", "organization", "customer", "created_by", "created_at", "expires_at", "used_at",
              "session_expires_at", "revoked_at")  # fmt: skip


@admin.register(Throttle)
class ThrottleAdmin(ReadOnlyAdmin):
    list_display = ("key", "count", "last_at")
    search_fields = ("=key",)
    ordering = ("-last_at", "key")


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "user", "address", "signed_in_at", "last_seen_at", "expire_date")
    list_select_related = ("user",)
    search_fields = ("=public_id", "=user__email", "=address")
    ordering = ("-last_seen_at", "key_hash")
    fields = ("public_id", "user", "address", "user_agent", "signed_in_at", "last_seen_at", "expire_date")


@admin.register(SignInProvider)
class SignInProviderAdmin(ReadOnlyAdmin):
    """Entered by owners in the console. The client's secret is not shown."""

    list_display = ("organization", "issuer", "client_id", "is_required", "created_at")
    list_select_related = ("organization",)
    search_fields = ("=organization__key", "=issuer")
    ordering = ("-pk",)
    fields = ("organization", "issuer", "client_id", "role_claim", "roles", "is_required", "created_at")


@admin.register(SignInIdentity)
class SignInIdentityAdmin(ReadOnlyAdmin):
    list_display = ("user", "organization", "issuer", "subject", "created_at", "last_used_at")
    list_select_related = ("user", "organization")
    search_fields = ("=user__email", "=organization__key", "=subject")
    ordering = ("-id",)
    fields = ("user", "organization", "issuer", "subject", "created_at", "last_used_at")


class DeviceAdmin(ReadOnlyAdmin):
    """What signs people in a second time. Secrets are not shown; deleting one is done by an owner in the console."""

    list_display = ("user", "name", "confirmed", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("=user__email",)
    ordering = ("-id",)
    fields = ("user", "name", "confirmed", "created_at", "last_used_at", "throttling_failure_count")


for device in (TOTPDevice, StaticDevice):
    if admin.site.is_registered(device):
        admin.site.unregister(device)
    admin.site.register(device, DeviceAdmin)


@admin.register(CustomerKey)
class CustomerKeyAdmin(ReadOnlyAdmin):
    list_display = ("holder", "purpose", "organization", "created_at", "destroyed_at")
    list_select_related = ("organization",)
    search_fields = ("=holder", "=organization__key")
    ordering = ("-id",)
    fields = ("organization", "holder", "purpose", "created_at", "destroyed_at")


@admin.register(PrivacyPolicy)
class PrivacyPolicyAdmin(ReadOnlyAdmin):
    list_display = ("organization", "retention_years")
    list_select_related = ("organization",)
    search_fields = ("=organization__key",)
    ordering = ("organization",)
