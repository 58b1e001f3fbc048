from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.facade import TooManyTries, take_use
from billing.facade import seller_profile_of
from collection.facade import hosted_page, invoice_of_link, payment_link
from console.middleware import POLICY
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from rest.addresses import visitor_of

#: As the console's, but that the form may lead to the provider's page, whose address may be of the vendor's own domain.
_POLICY = POLICY.replace("form-action 'self'", "form-action 'self' https:")

#: Looks at the page in a minute, by a link and by an address, from which several people may come.
_LOOKS, _LOOKS_OF_ADDRESS = 60, 240
#: Pages asked of the provider in a minute, each of which is a call of its API.
_PAGES, _PAGES_OF_ADDRESS = 6, 30
_MINUTE = timedelta(minutes=1)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, token: str) -> HttpResponseBase:
    """Whoever has the link sees what is due of one invoice, and may pay it; nothing else can be reached from here."""
    try:
        invoice = invoice_of_link(token)
    except NotFoundError:  # told by the signature alone, but for an invoice that is no more
        return render(request, "console/pay_gone.html", status=404)
    try:
        _take(request, "look", invoice.pk, _LOOKS, _LOOKS_OF_ADDRESS)
    except TooManyTries as error:
        return _refused(request, error)
    context: dict[str, object] = {"invoice": invoice, "seller": seller_profile_of(invoice.organization_id)}
    context["is_open"] = invoice.status in {"finalized", "uncollectible"} and invoice.amount_due > 0
    if request.method != "POST" or not context["is_open"]:
        return _shown(request, context)
    try:
        _take(request, "page", invoice.pk, _PAGES, _PAGES_OF_ADDRESS)
        return redirect(hosted_page(invoice=invoice, now=system_clock(), return_url=payment_link(invoice)))
    except TooManyTries as error:
        return _refused(request, error)
    except (UnavailableError, ConflictError, InvalidError, NotFoundError):
        return _shown(request, context | {"is_away": True}, status=503)


def _take(request: HttpRequest, what: str, invoice: str, most: int, most_of_address: int) -> None:
    """Raises `TooManyTries` where the link, or whoever asks, has asked too often."""
    now = system_clock()
    take_use(what=f"pay_{what}", who=invoice, most=most, within=_MINUTE, now=now)
    visitor = visitor_of(request)
    if visitor is not None:
        take_use(what=f"pay_{what}_address", who=visitor, most=most_of_address, within=_MINUTE, now=now)


def _refused(request: HttpRequest, error: TooManyTries) -> HttpResponse:
    response = render(request, "console/pay_often.html", {"wait": error.wait}, status=429)
    response.headers["Retry-After"] = str(error.wait)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _shown(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    response = render(request, "console/pay.html", context, status=status)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
