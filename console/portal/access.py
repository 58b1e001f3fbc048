"""Whose portal this is: a session of its own, bound to one customer of one organization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.facade import Organization, PortalAccess, act_as, portal_access_with_session
from billing.facade import Customer, clock_of, get_customer, seller_profile_of
from kernel.clock import system_clock
from kernel.errors import ConflictError, ForbiddenError, InvalidError, MalformedError, NotFoundError

View = Callable[..., HttpResponseBase]

COOKIE = "taximeter_portal"
_PATH = "/portal/"


@dataclass(frozen=True, slots=True)
class Portal:
    """`now` is the customer's present: of its test clock, where it lives by one."""

    access: PortalAccess
    organization: Organization
    customer: Customer
    seller: Any
    now: datetime


def portal_of(request: HttpRequest) -> Portal | None:
    """The portal that the request's session opens; None without one, and once it has ended."""
    secret = request.COOKIES.get(COOKIE, "")
    access = portal_access_with_session(secret, now=system_clock()) if secret else None
    if access is None:
        return None
    try:
        customer = get_customer(organization_id=access.organization_id, customer=access.customer)
    except NotFoundError:
        return None
    seller = seller_profile_of(access.organization_id)
    return Portal(access, access.organization, customer, seller, clock_of(customer)())


def portal_page(*, methods: tuple[str, ...] = ("GET", "HEAD")) -> Callable[[View], View]:
    """A view for a customer: it finds `request.portal`, and times are in the customer's zone.

    All that it shows must be asked for by `request.portal`'s organization and customer.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        @never_cache
        @require_http_methods(methods)
        def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            request.portal = portal_of(request)
            if request.portal is None:
                return _to_sign_in(request)
            act_as(f"portal {request.portal.customer.key}", organization_id=request.portal.organization.pk)
            with timezone.override(ZoneInfo(request.portal.customer.timezone)):
                return _answer(view, request, *args, **kwargs)

        return wrapped

    return decorate


def begin_session(response: HttpResponse, secret: str, access: PortalAccess) -> None:
    response.set_cookie(
        COOKIE,
        secret,
        expires=access.session_expires_at,
        path=_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def end_session(response: HttpResponse) -> None:
    response.delete_cookie(COOKIE, path=_PATH, samesite="Lax")


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("portal:sign_in")})
    return redirect("portal:sign_in")


def _answer(view: Callable[..., HttpResponseBase], request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
    try:
        texts = [*request.GET.values(), *request.POST.values(), *kwargs.values()]
        if any("\x00" in text for text in texts if isinstance(text, str)):
            raise InvalidError("Text cannot hold the character U+0000")
        return view(request, *args, **kwargs)
    except (NotFoundError, Http404):
        return render(request, "portal/not_found.html", status=404)
    except ForbiddenError as error:
        raise PermissionDenied(error.detail) from error
    except (InvalidError, MalformedError, ConflictError) as error:
        status = 409 if isinstance(error, ConflictError) else 422
        return render(request, "portal/problem.html", {"problem": error}, status=status)
