"""The link by which an invoice is paid: an address of ours that lasts, and leads to a page of the provider's, which
does not."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.urls import reverse

from billing.facade import Invoice
from collection.models import CollectionPolicy, StripeAccount
from collection.models.accounts import ProviderName
from kernel.errors import NotFoundError
from metering.facade import Kept

_SALT = "collection.payment_link"

#: Whether an organization's invoices can be paid by a page; asked for each of thousands when a month is closed.
_offers: Kept[bool] = Kept(seconds=5.0)


class PaymentLinkInvalid(NotFoundError):
    code = "payment_link_not_found"


def payment_link(invoice: Invoice) -> str:
    """Where this invoice is paid, or shown to be paid; empty where its organization does not collect by a provider."""
    if not _has_page(invoice.organization_id):
        return ""
    token = signing.Signer(salt=_SALT).sign(invoice.pk).replace(":", ".", 1)
    return settings.PUBLIC_URL + reverse("pay", args=[token])


def invoice_of_link(token: str) -> Invoice:
    """The invoice that a link is for. Raises `PaymentLinkInvalid`."""
    try:
        pk = signing.Signer(salt=_SALT).unsign(token.replace(".", ":", 1))
    except signing.BadSignature:
        raise PaymentLinkInvalid("This link was not made here") from None
    found = Invoice.objects.select_related("customer__test_clock", "organization").filter(pk=pk).first()
    if found is None:
        raise PaymentLinkInvalid("There is no such invoice any more")
    return found


def forget_whether_pages_are_offered(organization_id: int) -> None:
    """The organization's choices have changed."""
    _offers.forget(organization_id)


def _has_page(organization_id: int) -> bool:
    known = _offers.get(organization_id)
    if known is not None:
        return known
    collects = CollectionPolicy.objects.filter(
        organization_id=organization_id, is_active=True, provider=ProviderName.STRIPE
    )
    has = collects.exists() and StripeAccount.objects.filter(organization_id=organization_id).exists()
    return _offers.keep(organization_id, has)
