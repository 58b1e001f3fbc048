"""The site of the Django admin: behind the console's sign-in, with its throttles and its second factor."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from unfold.sites import UnfoldAdminSite

from accounts.facade import has_two_factor


class Administration(UnfoldAdminSite):
    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, in a session begun with the second factor where they have one or need one."""
        user: Any = request.user
        if not super().has_permission(request):
            return False
        if user.is_verified():
            return True
        if not hasattr(user, "has_two_factor"):  # asked several times for each page
            user.has_two_factor = has_two_factor(user)
        return not (settings.ADMIN_REQUIRES_TWO_FACTOR or user.has_two_factor)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """One sign-in for all pages. Who is signed in and lacks the second factor is led to where it is set up."""
        wanted = request.GET.get("next") or request.POST.get("next") or resolve_url("admin:index")
        user: Any = request.user
        if user.is_authenticated and not super().has_permission(request):
            raise PermissionDenied("The administration is for who operates this server.")
        if user.is_authenticated and not self.has_permission(request):
            if not has_two_factor(user):
                return redirect("console:security")
            logout(request)  # this session was begun without it: the next one is not
        return redirect_to_login(wanted, login_url=resolve_url("console:sign_in"))
