"""Signing in by the organization's OpenID Connect provider, and its settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import facade as accounts
from console.access import PROVIDER, page
from console.confirming import confirm, is_confirmed
from console.views.sign_in import back_to
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from rest.access import Permission
from rest.addresses import visitor_of
from rest.links import public_link

_BEGUN = "console.provider_sign_in"
#: How long signing in at the provider may take.
_LONGEST = timedelta(minutes=10)
#: Sign-ins that one client may begin in a minute: each asks the provider for something.
_BEGINNINGS = 20


@never_cache
@require_http_methods(["GET", "HEAD"])
def choose_provider(request: HttpRequest) -> HttpResponseBase:
    """Asks which organization's provider to sign in by."""
    key = request.GET.get("organization", "").strip()
    if key and "/" not in key and "\x00" not in key:
        return redirect("console:provider_sign_in", key)
    return render(request, "console/provider_choose.html")


@never_cache
@require_http_methods(["GET", "HEAD"])
def start(request: HttpRequest, organization: str) -> HttpResponseBase:
    """Leads to the provider's own sign-in."""
    now = system_clock()
    try:
        if (visitor := visitor_of(request)) is not None:
            accounts.take_use(what="provider", who=visitor, most=_BEGINNINGS, within=timedelta(minutes=1), now=now)
        provider = accounts.provider_with_key(organization.replace("\x00", ""))
        address, begun = accounts.begin_sign_in(accounts.client_of_provider(provider))
    except NotFoundError as error:
        return _refused(request, error.detail, status=404)
    except (accounts.SignInRefused, accounts.TooManyTries) as error:
        return _refused(request, error.detail)
    request.session[_BEGUN] = {
        "begun": begun.as_dict(),
        "organization": provider.organization.key,
        "next": back_to(request),
        "at": now.isoformat(),
    }
    return redirect(address)


@never_cache
@require_http_methods(["GET", "HEAD"])
def answer(request: Any) -> HttpResponseBase:
    """The page that a provider sends people back to. What was begun is used up, whatever comes of it."""
    kept, now = request.session.pop(_BEGUN, None), system_clock()
    if kept is None or type(now).fromisoformat(kept["at"]) < now - _LONGEST:
        return _refused(request, "This sign-in was not begun here, or is over. Begin again")
    signed_in = request.user if request.user.is_authenticated else None
    try:
        provider = accounts.provider_with_key(kept["organization"])
        client, query = accounts.client_of_provider(provider), request.GET.dict()
        claims = accounts.finish_sign_in(client, accounts.SignInBegun(**kept["begun"]), query, now=now.timestamp())
        user = accounts.sign_in_by_claims(provider=provider, claims=claims, signed_in=signed_in, now=now)
    except (accounts.SignInRefused, NotFoundError) as error:
        return _refused(request, error.detail)
    if signed_in is not None and signed_in.pk == user.pk and PROVIDER not in request.session:
        messages.success(request, f"Your account is connected to {provider.issuer}.")
        if not provider.is_required:
            return redirect("console:security")
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[PROVIDER] = {"organization": provider.organization_id, "issuer": provider.issuer}
    if not user.has_usable_password():  # there is nothing else to confirm by
        confirm(request)
    return redirect(kept["next"])


def _refused(request: HttpRequest, why: str, *, status: int = 403) -> HttpResponse:
    return render(request, "console/provider_refused.html", {"why": why}, status=status)


@page(may=Permission.MANAGE_SIGN_IN)
def provider_settings(request: Any) -> HttpResponseBase:
    return _settings_page(request)


@page(may=Permission.MANAGE_SIGN_IN, methods=("POST",), confirmed=True)
def change_provider(request: Any) -> HttpResponseBase:
    """Enters or changes the provider, or removes it."""
    organization, sent = request.access.organization, request.POST
    if sent.get("remove") == "1":
        accounts.remove_provider(organization=organization)
        messages.success(request, "The provider is removed. Members sign in by password.")
        return redirect("console:members")
    try:
        accounts.save_provider(
            organization=organization,
            issuer=sent.get("issuer", "").strip(),
            client_id=sent.get("client_id", "").strip(),
            client_secret=sent.get("client_secret") or None,
            role_claim=sent.get("role_claim", "").strip(),
            roles=_roles(sent.get("roles", "")),
            is_required=sent.get("is_required") == "1",
            now=system_clock(),
        )
    except InvalidError as error:
        return _settings_page(request, error.detail)
    messages.success(request, "The provider is saved. Try it in another browser before you sign out.")
    return redirect("console:provider_settings")


def _settings_page(request: Any, error: str = "") -> HttpResponseBase:
    found = accounts.provider_of(request.access.organization)
    lines = "\n".join(f"{value} = {role}" for value, role in found.roles.items()) if found else ""
    context = {
        "provider": found,
        "sent": request.POST if error else None,
        "roles": request.POST.get("roles", "") if error else lines,
        "redirect_uri": public_link("console:provider_answer"),
        "start": public_link("console:provider_sign_in", request.access.organization.key),
        "is_confirmed": is_confirmed(request),
        "error": error,
    }
    return render(request, "console/provider_settings.html", context, status=422 if error else 200)


def _roles(text: str) -> dict[str, str]:
    """`value = role`, a line each. Raises `InvalidError`."""
    roles = {}
    for line in filter(None, (one.strip() for one in text.splitlines())):
        value, sign, role = (part.strip() for part in line.rpartition("="))
        if not sign or not value or len(value) > 255 or "\x00" in line:
            raise InvalidError(f"Write a value of the claim, = and a role in each line, not {line[:60]!r}")
        roles[value] = role.lower()
    return roles
