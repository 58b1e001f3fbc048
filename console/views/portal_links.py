"""Lets a customer into their portal by a link, and ends that."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from accounts.facade import create_portal_link, portal_accesses_of, revoke_portal_access
from billing.facade import get_customer
from console.access import page
from console.portal.sign_in import send_link
from kernel.clock import system_clock
from rest.access import Permission
from rest.links import public_link


@page(may=Permission.LET_CUSTOMERS_IN)
def portal_links(request: Any, customer: str) -> HttpResponseBase:
    return _page(request, customer)


def _page(request: Any, customer: str, link: str = "") -> HttpResponseBase:
    found = get_customer(organization_id=request.access.organization.pk, customer=customer)
    accesses = portal_accesses_of(request.access.organization.pk, found.pk, now=system_clock())
    context = {"customer": found, "link": link, "accesses": list(accesses[:50])}
    return render(request, "console/portal_links.html", context)


@page(may=Permission.LET_CUSTOMERS_IN, methods=("POST",))
def create_link(request: Any, customer: str) -> HttpResponseBase:
    """A link that is shown this once, or one that is sent to the customer's address."""
    found = get_customer(organization_id=request.access.organization.pk, customer=customer)
    if request.POST.get("send") == "1":
        if not found.email:
            messages.error(request, "This customer has no e-mail address.")
        else:
            send_link(request.access.organization, found, now=system_clock())
            messages.success(request, f"A link is on its way to {found.email}.")
        return redirect("console:portal_links", found.pk)
    _, link = create_portal_link(
        organization=request.access.organization,
        customer=found.pk,
        now=system_clock(),
        link_of=partial(public_link, "portal:open"),
    )
    return _page(request, customer, link)


@page(may=Permission.LET_CUSTOMERS_IN, methods=("POST",))
def revoke_links(request: Any, customer: str) -> HttpResponseBase:
    found = get_customer(organization_id=request.access.organization.pk, customer=customer)
    ended = revoke_portal_access(
        organization_id=request.access.organization.pk,
        customer=found.pk,
        now=system_clock(),
        access=request.POST.get("access") or None,
    )
    messages.success(request, f"{ended} link{'' if ended == 1 else 's'} and sessions ended.")
    return redirect("console:portal_links", found.pk)
