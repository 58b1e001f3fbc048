from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from billing.facade import seller_profile_of
from collection.facade import hosted_page, invoice_of_link, payment_link
from console.middleware import POLICY
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError, NotFoundError, UnavailableError

#: As the console's, but that the form may lead to the provider's page, whose address may be of the vendor's own domain.
_POLICY = POLICY.replace("form-action 'self'", "form-action 'self' https:")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, token: str) -> HttpResponseBase:
    """Whoever has the link sees what is due of one invoice, and may pay it; nothing else can be reached from here."""
    try:
        invoice = invoice_of_link(token)
    except NotFoundError:
        return render(request, "console/pay_gone.html", status=404)
    context = {"invoice": invoice, "seller": seller_profile_of(invoice.organization_id)}
    context["is_open"] = invoice.status in {"finalized", "uncollectible"} and invoice.amount_due > 0
    if request.method != "POST" or not context["is_open"]:
        return _shown(request, context)
    try:
        return redirect(hosted_page(invoice=invoice, now=system_clock(), return_url=payment_link(invoice)))
    except (UnavailableError, ConflictError, InvalidError, NotFoundError):
        return _shown(request, context | {"is_away": True}, status=503)


def _shown(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    response = render(request, "console/pay.html", context, status=status)
    response.headers["Content-Security-Policy"] = _POLICY
    return response
