"""The way into the portal: a link, by hand or by mail, that works once."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.facade import (
    PORTAL_LINK_LIFETIME,
    Organization,
    TooManyTries,
    act_as,
    create_portal_link,
    open_portal,
    portal_access_with_token,
    revoke_portal_access,
)
from billing.facade import Customer
from console import tries
from console.portal.access import begin_session, end_session, portal_of, portal_page
from kernel.clock import system_clock, to_rfc3339
from kernel.errors import NotFoundError
from notifications.facade import queue_mail
from rest.links import public_link

#: To how many customers one address may belong; more are not sent a link.
_MOST_CUSTOMERS = 10


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Asks for a link by mail. The answer is the same whether the address is a customer's or not."""
    if request.method != "POST":
        return redirect("portal:overview") if portal_of(request) else render(request, "portal/sign_in.html")
    email = request.POST.get("email", "").strip().lower()[:254]
    try:
        tries.take_mail(request, what="portal_link", account=email)
    except TooManyTries:
        pass  # the same answer: whoever asks often learns nothing by it
    else:
        if email and "\x00" not in email:
            _send_links(email)
    return render(request, "portal/sign_in.html", {"is_sent": True})


def _send_links(email: str) -> None:
    now = system_clock()
    act_as("portal")
    found = Customer.objects.filter(email__iexact=email).select_related("organization").order_by("-id")
    for customer in found[:_MOST_CUSTOMERS]:
        send_link(customer.organization, customer, now=now)


def send_link(organization: Organization, customer: Customer, *, now: Any) -> None:
    made, link = create_portal_link(
        organization=organization,
        customer=customer.pk,
        now=now,
        link_of=partial(public_link, "portal:open"),
        lifetime=PORTAL_LINK_LIFETIME,
    )
    queue_mail(
        organization_id=organization.pk,
        kind="portal_link",
        to=[customer.email],
        context={
            "organization": organization.name,
            "customer": customer.name,
            "link": link,
            "expires_at": to_rfc3339(made.expires_at),
        },
        key=f"portal_link:{made.pk}",
        at=now,
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def open_link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Where a link leads. Looking at it does not use it up, as mail programs do; the button does."""
    if request.method == "POST":
        try:
            access, secret = open_portal(token=token, now=system_clock())
        except NotFoundError:
            return render(request, "portal/link_gone.html", status=404)
        response = redirect("portal:overview")
        begin_session(response, secret, access)
        return response
    access_or_none = portal_access_with_token(token, now=system_clock())
    if access_or_none is None:
        return render(request, "portal/link_gone.html", status=404)
    return render(request, "portal/open.html", {"organization": access_or_none.organization})


@portal_page(methods=("POST",))
def sign_out(request: Any) -> HttpResponseBase:
    portal = request.portal
    revoke_portal_access(
        organization_id=portal.organization.pk,
        customer=portal.customer.pk,
        now=system_clock(),
        access=portal.access.pk,
    )
    response = redirect("portal:sign_in")
    end_session(response)
    return response


@portal_page()
def colours(request: Any) -> HttpResponseBase:
    """The organization's colour as a style sheet, since pages carry no styles of their own."""
    colour = request.portal.seller.color
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    ink = "#1a1b1f" if red * 299 + green * 587 + blue * 114 > 140_000 else "#ffffff"
    return HttpResponse(f":root {{ --accent: {colour}; --accent-ink: {ink}; }}\n", content_type="text/css")
