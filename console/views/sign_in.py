from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponseBase
from django.shortcuts import redirect

from console.access import choose_organization, page


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


class SignIn(LoginView):
    """`next` leads only to pages of this server; Django checks it."""

    template_name = "console/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    http_method_names = ["post", "options"]
    next_page = "console:sign_in"


@page(methods=("POST",))
def choose(request: Any) -> HttpResponseBase:
    """Look at another organization. Its overview comes next: the page one was at may mean nothing there."""
    choose_organization(request, request.POST.get("organization", ""))
    return redirect("console:overview")
