"""Members of the organization, their roles, and who is invited."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.facade import (
    Role,
    User,
    accept_invitation,
    change_role,
    disable_two_factor,
    end_session,
    get_invitation,
    get_member,
    has_two_factor,
    invitation_with,
    invitations_of,
    invite_member,
    members_of,
    remove_member,
    require_two_factor,
    revoke_invitation,
    two_factor_users,
)
from console.access import access_of, choose_organization, page
from console.confirming import confirm, is_confirmed
from console.roles import ROLE_WORDS, may_give
from console.views.security import listed_sessions
from kernel.clock import system_clock
from kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from rest.access import Permission
from rest.links import public_link

_POST = ("POST",)


@page()
def members(request: Any) -> HttpResponseBase:
    return _page(request)


def _page(request: Any, *, link: str = "", invited: str = "") -> HttpResponseBase:
    organization, now = request.access.organization, system_clock()
    found = list(members_of(organization.pk))
    two_factor = two_factor_users(one.user_id for one in found)
    own = request.access.role
    context = {
        "members": [
            {
                "member": one,
                "has_two_factor": one.user_id in two_factor,
                "may_change": one.role in may_give(own),
                "may_remove": one.role in may_give(own) or one.user_id == request.user.pk,
            }
            for one in found
        ],
        "invitations": [
            {"invitation": one, "is_expired": one.expires_at <= now, "may_revoke": one.role in may_give(own)}
            for one in invitations_of(organization.pk)
        ],
        "role_words": ROLE_WORDS,
        "givable": [role for role in Role.values if role in may_give(own)],
        "may_manage": Permission.MANAGE_MEMBERS in request.access.may,
        "may_manage_sign_in": Permission.MANAGE_SIGN_IN in request.access.may,
        "is_confirmed": is_confirmed(request),
        "link": link,
        "invited": invited,
    }
    return render(request, "console/members.html", context)


@page(may=Permission.MANAGE_MEMBERS, methods=_POST, confirmed=True)
def invite(request: Any) -> HttpResponseBase:
    """Sends the invitation by mail; shows its link this once."""
    try:
        made, link = invite_member(
            organization=request.access.organization,
            email=request.POST.get("email", ""),
            role=request.POST.get("role", ""),
            by=request.access.role,
            now=system_clock(),
            link_of=partial(public_link, "console:invitation"),
        )
    except (InvalidError, ConflictError) as error:
        messages.error(request, error.detail)
        return redirect("console:members")
    return _page(request, link=link, invited=made.email)


@page(may=Permission.MANAGE_MEMBERS, methods=_POST, confirmed=True)
def revoke(request: Any, invitation: str) -> HttpResponseBase:
    found = get_invitation(organization_id=request.access.organization.pk, invitation=invitation)
    revoke_invitation(invitation=found, by=request.access.role, now=system_clock())
    messages.success(request, f"The invitation of {found.email} opens nothing any more.")
    return redirect("console:members")


@page(may=Permission.MANAGE_MEMBERS, methods=_POST, confirmed=True)
def role(request: Any, member: str) -> HttpResponseBase:
    found = get_member(organization_id=request.access.organization.pk, member=member)
    try:
        changed = change_role(member=found, role=request.POST.get("role", ""), by=request.access.role)
    except ConflictError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{changed.user.email} is {changed.role} now.")
    return redirect("console:members")


@page(may=Permission.OWN_ACCOUNT, methods=_POST, confirmed=True)
def remove(request: Any, member: str) -> HttpResponseBase:
    """A manager removes somebody, and everybody may leave."""
    found = get_member(organization_id=request.access.organization.pk, member=member)
    try:
        remove_member(member=found, by=request.access.role)
    except ConflictError as error:
        messages.error(request, error.detail)
        return redirect("console:members")
    messages.success(request, f"{found.user.email} is no member any more.")
    return redirect("console:overview" if found.user_id == request.user.pk else "console:members")


@page(may=Permission.MANAGE_SIGN_IN, methods=_POST, confirmed=True)
def reset_two_factor(request: Any, member: str) -> HttpResponseBase:
    """For somebody who has lost both their device and their recovery codes."""
    found = get_member(organization_id=request.access.organization.pk, member=member)
    if found.user.memberships.exclude(organization=request.access.organization).exists():
        raise ForbiddenError(
            "They are in other organizations too, whose owners this would concern. Ask who operates this server",
            code="member_of_others",
        )
    disable_two_factor(found.user)
    messages.success(request, f"{found.user.email} signs in by password alone until they set it up again.")
    return redirect("console:members")


@page(may=Permission.MANAGE_SIGN_IN)
def sessions(request: Any, member: str) -> HttpResponseBase:
    """The browsers in which a member is signed in."""
    found = get_member(organization_id=request.access.organization.pk, member=member)
    context = {
        "member": found,
        "sessions": listed_sessions(request, found.user),
        "is_confirmed": is_confirmed(request),
    }
    return render(request, "console/member_sessions.html", context)


@page(may=Permission.MANAGE_SIGN_IN, methods=_POST, confirmed=True)
def end_member_session(request: Any, member: str, session: str) -> HttpResponseBase:
    """Ends one session of a member, as of a lost device."""
    found = get_member(organization_id=request.access.organization.pk, member=member)
    end_session(user=found.user, session=session)
    messages.success(request, "The session is ended.")
    return redirect("console:member_sessions", found.pk)


@page(may=Permission.MANAGE_SIGN_IN, methods=_POST, confirmed=True)
def sign_in_policy(request: Any) -> HttpResponseBase:
    """Whether members need a second factor. Who says so needs one first, or they would lock themselves out."""
    required = request.POST.get("requires_two_factor") == "1"
    if required and not has_two_factor(request.user):
        messages.error(request, "Set up your own two-factor sign-in first.")
        return redirect("console:security")
    require_two_factor(organization=request.access.organization, required=required)
    messages.success(request, "Saved. It counts from the next page that a member opens.")
    return redirect("console:members")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Where an invitation's link leads. It is used up by accepting it, not by looking."""
    found = invitation_with(token, now=system_clock())
    if found is None:
        return render(request, "console/link_gone.html", status=404)
    user: Any = request.user
    has_account = User.objects.filter(email=found.email).exists()
    is_invited = user.is_authenticated and user.email == found.email
    error = ""
    if request.method == "POST" and (is_invited or not has_account):
        try:
            member, person = accept_invitation(
                token=token,
                now=system_clock(),
                user=user if is_invited else None,
                name=request.POST.get("name", "")[:150],
                password=request.POST.get("password", ""),
            )
        except (InvalidError, ConflictError) as problem:
            error = problem.detail
        except NotFoundError:
            return render(request, "console/link_gone.html", status=404)
        else:
            if not is_invited:
                login(request, person, backend="django.contrib.auth.backends.ModelBackend")
                confirm(request)
            if access_of(request) is not None:
                choose_organization(request, member.organization.public_id)
            messages.success(request, f"You are {member.role} of {member.organization.name}.")
            return redirect("console:overview")
    context = {
        "invitation": found,
        "has_account": has_account,
        "is_invited": is_invited,
        "role_words": ROLE_WORDS[found.role],
        "error": error,
        "name": request.POST.get("name", ""),
    }
    return render(request, "console/invitation.html", context, status=422 if error else 200)
