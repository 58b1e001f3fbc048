"""Who is looking, at which organization, and what they may do there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.facade import Organization, Role, act_as
from console.confirming import asked_first
from kernel.errors import ConflictError, ForbiddenError, InvalidError, MalformedError, NotFoundError
from rest.serializers import zone_named

#: What each role may do; the one place that says so. Every view names in `page` the roles it is for.
MAY: Mapping[str, frozenset[str]] = {
    # Look at all of it: customers, usage, costs, invoices, plans, tasks, events.
    "see": frozenset(Role.values),
    # Pay, refund, void, finalize, close months, change plans, credit and coupons, judge outcomes of tasks.
    "move_money": frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE}),
    # Give the keys of payment providers, by which money is taken.
    "connect_providers": frozenset({Role.OWNER, Role.ADMIN}),
    # Start exports and make the schedules that do.
    "export": frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE}),
    # API keys, meters, webhooks.
    "build": frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    # Set what alerts, and what stops agents.
    "set_budgets": frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE, Role.DEVELOPER}),
    # Take models of the engine out of use, where the organization runs this installation.
    "recall_models": frozenset({Role.OWNER, Role.ADMIN}),
    # Let customers into their portal, and end that.
    "let_customers_in": frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE, Role.DEVELOPER}),
    # Who did what.
    "see_audit": frozenset({Role.OWNER, Role.ADMIN, Role.FINANCE}),
    # Invite, change and remove members, of roles up to their own.
    "manage_members": frozenset({Role.OWNER, Role.ADMIN}),
    # What members need to sign in, and their second factor where they lost it.
    "manage_sign_in": frozenset({Role.OWNER}),
}
EVERYONE = MAY["see"]
MONEY_ROLES = MAY["move_money"]
BUILD_ROLES = MAY["build"]
BUDGET_ROLES = MAY["set_budgets"]
EXPORT_ROLES = MAY["export"]
MODEL_ROLES = MAY["recall_models"]

_ORGANIZATION = "console.organization"
_TIMEZONE = "console.timezone"

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Access:
    """The organization that a person looks at, their role in it, and the others they could choose."""

    organization: Organization
    role: str
    organizations: tuple[Organization, ...]

    @property
    def may(self) -> frozenset[str]:
        """What of `MAY` this person may do here."""
        return frozenset(name for name, roles in MAY.items() if self.role in roles)

    @property
    def may_move_money(self) -> bool:
        return self.role in MONEY_ROLES


def access_of(request: HttpRequest) -> Access | None:
    """What the signed-in person may see: the organization chosen last, else the first by name; None for nothing.

    A superuser sees every organization, as an owner does.
    """
    user: Any = request.user
    if user.is_superuser:
        roles = {one: str(Role.OWNER) for one in Organization.objects.order_by("name", "id")}
    else:
        memberships = user.memberships.select_related("organization").order_by("organization__name", "organization_id")
        roles = {one.organization: one.role for one in memberships}
    if not roles:
        return None
    chosen = request.session.get(_ORGANIZATION)
    organization = next((one for one in roles if one.public_id == chosen), next(iter(roles)))
    return Access(organization, roles[organization], tuple(roles))


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
    roles: Collection[str] = EVERYONE,
    post: Collection[str] | None = None,
    methods: tuple[str, ...] = ("GET", "HEAD"),
    confirmed: bool = False,
    before_two_factor: bool = False,
) -> Any:
    """A view for signed-in people with a part in an organization: it finds `request.access` and `request.zone`.

    `roles` may see it, and change something by it unless `post` says who may. With `confirmed`, a change needs the
    password to have been given lately. Where the organization asks for a second factor, only what is
    `before_two_factor` is shown without. Times are shown in `request.zone`. Errors of the rooms behind become pages
    of their status.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        @never_cache
        @require_http_methods(methods)
        def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            act_as(request.user.email)
            request.access = access_of(request)
            if request.access is None:
                return render(request, "console/no_membership.html", status=403)
            if (
                request.access.organization.requires_two_factor
                and not before_two_factor
                and not request.user.is_verified()
            ):
                return redirect("console:security")
            allowed = roles if post is None or request.method != "POST" else post
            if request.access.role not in allowed:
                raise PermissionDenied("Your role in this organization does not allow this.")
            if confirmed and request.method == "POST" and (asked := asked_first(request)) is not None:
                return asked
            return _answer(view, request, *args, **kwargs)

        wrapped.roles, wrapped.post_roles = frozenset(roles), frozenset(roles if post is None else post)  # type: ignore[attr-defined]
        wrapped.methods = methods  # type: ignore[attr-defined]
        return wrapped

    return decorate


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
