"""Who is looking, at which organization, and what they may do there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.facade import Organization, Role, act_as
from console.confirming import asked_first
from kernel.errors import ConflictError, ForbiddenError, InvalidError, MalformedError, NotFoundError
from rest.access import Permission, permissions_of_role
from rest.serializers import zone_named

_ORGANIZATION = "console.organization"
_TIMEZONE = "console.timezone"
#: The organization, and the issuer, whose provider signed the person in. Such a session sees no other organization:
#: each organization chooses its provider, which may name anyone.
PROVIDER = "console.provider"

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Access:
    """The organization that a person looks at, their role in it, and the others they could choose."""

    organization: Organization
    role: str
    organizations: tuple[Organization, ...]

    @property
    def may(self) -> frozenset[Permission]:
        """Permissions of this person here."""
        return permissions_of_role(self.role)

    @property
    def may_move_money(self) -> bool:
        return Permission.MOVE_MONEY in self.may


def access_of(request: HttpRequest) -> Access | None:
    """What the signed-in person may see: the organization chosen last, else the first by name; None for nothing.

    A superuser sees every organization, as an owner does.
    """
    user: Any = request.user
    if user.is_superuser:
        roles = {one: str(Role.OWNER) for one in Organization.objects.order_by("name", "id")}
    else:
        memberships = _memberships(request)
        roles = {one.organization: one.role for one in memberships}
    if not roles:
        return None
    chosen = request.session.get(_ORGANIZATION)
    organization = next((one for one in roles if one.public_id == chosen), next(iter(roles)))
    return Access(organization, roles[organization], tuple(roles))


def _memberships(request: HttpRequest) -> Any:
    user: Any = request.user
    found = user.memberships.select_related("organization__sign_in_provider")
    if by := request.session.get(PROVIDER):
        found = found.filter(organization_id=by["organization"], organization__sign_in_provider__issuer=by["issuer"])
    return found.order_by("organization__name", "organization_id")


def _must_use_provider(request: Any) -> bool:
    """Whether the organization wants its members to sign in by its provider. Owners get in whatever becomes of that."""
    if request.user.is_superuser or PROVIDER in request.session or request.access.role == Role.OWNER:
        return False
    provider = getattr(request.access.organization, "sign_in_provider", None)
    return provider is not None and provider.is_required


def choose_organization(request: HttpRequest, public_id: str) -> None:
    """Look at another organization from now on; `NotFoundError` for one that this person has no part in."""
    access = access_of(request)
    if access is None or public_id not in {one.public_id for one in access.organizations}:
        raise NotFoundError("There is no such organization")
    request.session[_ORGANIZATION] = public_id


def remembered_zone(request: HttpRequest) -> ZoneInfo:
    """The time zone this person chose; one given in the address is remembered. `InvalidError` for no time zone."""
    name = request.GET.get("timezone") or request.session.get(_TIMEZONE) or "UTC"
    try:
        zone = zone_named(name)
    except ValueError as error:
        raise InvalidError(str(error), code="timezone_invalid") from None
    if request.GET.get("timezone") and request.session.get(_TIMEZONE) != zone.key:
        request.session[_TIMEZONE] = zone.key
    return zone


def page(
    *,
    may: Permission = Permission.SEE,
    post: Permission | None = None,
    methods: tuple[str, ...] = ("GET", "HEAD"),
    confirmed: bool = False,
    before_two_factor: bool = False,
) -> Callable[[View], View]:
    """A view for signed-in people with a part in an organization: it finds `request.access` and `request.zone`.

    Seeing it needs the permission `may`, and changing something by it `post`, or else `may` again; a view that takes
    POST names what that needs. With `confirmed`, a change needs the
    password to have been given lately. Where the organization asks for a second factor, only what is
    `before_two_factor` is shown without. Times are shown in `request.zone`. Errors of the rooms behind become pages
    of their status.
    """

    needed = may if post is None else post
    if "POST" in methods and needed is Permission.SEE:
        raise ImproperlyConfigured("A page that takes POST names the permission which that needs")

    def decorate(view: View) -> View:
        @wraps(view)
        @never_cache
        @require_http_methods(methods)
        def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            act_as(request.user.email, user_id=request.user.pk)
            request.access = access_of(request)
            if request.access is not None:
                act_as(request.user.email, user_id=request.user.pk, organization_id=request.access.organization.pk)
            if request.access is None:
                return render(request, "console/no_membership.html", status=403)
            if (
                request.access.organization.requires_two_factor
                and not before_two_factor
                and not request.user.is_verified()
                and PROVIDER not in request.session  # the provider asks for what it is told to
            ):
                return redirect("console:security")
            if not before_two_factor and _must_use_provider(request):
                return _to_provider(request)
            if (needed if request.method == "POST" else may) not in request.access.may:
                raise PermissionDenied("Your role in this organization does not allow this.")
            if confirmed and request.method == "POST" and (asked := asked_first(request)) is not None:
                return asked
            return _answer(view, request, *args, **kwargs)

        about: Any = wrapped  # read by the sweep over all pages
        about.permission, about.post_permission, about.methods = may, needed, methods
        return wrapped

    return decorate


def _to_provider(request: Any) -> HttpResponse:
    address = resolve_url("console:provider_sign_in", request.access.organization.key)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # A redirect would put the whole sign-in page where a few rows belong.
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("console:sign_in")})
    return redirect_to_login(request.get_full_path())


def _answer(view: View, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
    try:
        if any("\x00" in text for text in [*request.GET.values(), *kwargs.values()] if isinstance(text, str)):
            raise InvalidError("An address cannot hold the character U+0000")
        request.zone = remembered_zone(request)
        with timezone.override(request.zone):
            return view(request, *args, **kwargs)
    except NotFoundError as error:
        raise Http404(error.detail) from error
    except ForbiddenError as error:
        raise PermissionDenied(error.detail) from error
    except (InvalidError, MalformedError, ConflictError) as error:
        status = 409 if isinstance(error, ConflictError) else 422
        return render(request, "console/problem.html", {"problem": error}, status=status)
