"""Signing in: by password, and where a person has set one up by a second factor; and giving the password again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_otp import login as otp_login

from accounts.facade import TooManyTries, User, act_as, has_two_factor, record_sign_in, verify_code
from console import tries
from console.access import choose_organization, page
from console.confirming import confirm, try_password
from kernel.clock import system_clock
from rest.access import Permission

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_WAITING = "console.second_step"
#: How long the second step may take.
_SECOND_STEP = timedelta(minutes=10)


class SignInForm(AuthenticationForm):
    """E-mail address and password. One message for whatever is wrong, so that nobody learns who has an account."""

    error_messages = {
        "invalid_login": "This e-mail address and password do not go together.",
        "inactive": "This e-mail address and password do not go together.",
    }

    username = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username", "inputmode": "email"}),
    )

    def clean_username(self) -> str:
        """Addresses are kept in small letters."""
        return str(self.cleaned_data["username"]).lower()

    def clean(self) -> dict[str, Any]:
        """A try counts before the password is looked at, so that many at once get no further than one by one."""
        email = self.cleaned_data.get("username", "")
        assert self.request is not None, "the view gives its request"
        if not email:
            return self.cleaned_data
        try:
            tries.take(self.request, what="password", account=email)
        except TooManyTries as error:
            raise forms.ValidationError(f"{error.detail}.", code=error.code) from None
        cleaned: dict[str, Any] = super().clean()
        tries.forget(self.request, what="password", account=email)
        return cleaned


class SignIn(LoginView):
    """`next` leads only to pages of this server; Django checks it."""

    template_name = "console/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> Any:
        user: Any = form.get_user()
        if not has_two_factor(user):
            act_as(user.email, user_id=user.pk)
            answer = super().form_valid(form)
            confirm(self.request)
            return answer
        self.request.session.cycle_key()
        self.request.session[_WAITING] = {
            "user": user.pk,
            "hash": user.get_session_auth_hash(),
            "at": system_clock().isoformat(),
        }
        query = urlencode({"next": self.get_redirect_url()}) if self.get_redirect_url() else ""
        return redirect(resolve_url("console:second_step") + (f"?{query}" if query else ""))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: Any) -> HttpResponseBase:
    """The code of the app, or a recovery code. Whoever comes here without a password goes back to where it is asked."""
    user = _waiting(request)
    if user is None:
        return redirect("console:sign_in")
    if request.method != "POST":
        return render(request, "console/second_step.html", {"next": request.GET.get("next", "")})
    act_as(user.email, user_id=user.pk)
    context = {"next": request.POST.get("next", ""), "is_wrong": True}
    try:
        tries.take(request, what="second_factor", account=user.email)
    except TooManyTries as error:
        return render(request, "console/second_step.html", context | {"wait": error.detail}, status=422)
    device = verify_code(user=user, code=request.POST.get("code", "")[:40])
    if device is None:
        record_sign_in(user=user, action="sign_in.fail", step="second factor")
        return render(request, "console/second_step.html", context, status=422)
    tries.forget(request, what="second_factor", account=user.email)
    del request.session[_WAITING]
    login(request, user, backend=_BACKEND)
    otp_login(request, device)
    confirm(request)
    return redirect(back_to(request))


def _waiting(request: HttpRequest) -> User | None:
    """Who has given their password and not yet the code; nobody after a while, or once the password has changed."""
    waiting = request.session.get(_WAITING)
    if waiting is None or datetime.fromisoformat(waiting["at"]) < system_clock() - _SECOND_STEP:
        return None
    user = User.objects.filter(pk=waiting["user"], is_active=True).first()
    if user is None or not constant_time_compare(waiting["hash"], user.get_session_auth_hash()):
        return None
    return user


@page(may=Permission.OWN_ACCOUNT, methods=("GET", "HEAD", "POST"), before_two_factor=True)
def confirmation(request: Any) -> HttpResponseBase:
    """Gives the password again, before a change that matters."""
    error = ""
    if request.method == "POST":
        error = try_password(request, request.POST.get("password", ""))
        if not error:
            return redirect(back_to(request))
    wanted = request.POST.get("next") or request.GET.get("next", "")
    context = {"next": wanted, "back": back_to(request), "field": "password", "error": error}
    return render(request, "console/confirm.html", context, status=422 if error else 200)


def back_to(request: HttpRequest) -> str:
    """The page of this server that `next` names, or the overview."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else resolve_url("console:overview")


class SignOut(LogoutView):
    http_method_names = ["post", "options"]
    next_page = "console:sign_in"


@page(may=Permission.OWN_ACCOUNT, methods=("POST",), before_two_factor=True)
def choose(request: Any) -> HttpResponseBase:
    """Look at another organization. Its overview comes next: the page one was at may mean nothing there."""
    choose_organization(request, request.POST.get("organization", ""))
    return redirect("console:overview")
