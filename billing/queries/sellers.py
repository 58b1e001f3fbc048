from __future__ import annotations

from accounts.facade import Organization
from billing.models import Invoice, SellerProfile
from billing.paying import offered_link


def seller_profile_of(organization_id: int) -> SellerProfile:
    """The profile that documents are issued with now: the newest version, or one (not stored) of the name alone."""
    found = SellerProfile.objects.filter(organization_id=organization_id).select_related("logo").first()
    if found is not None:
        return found
    name = Organization.objects.values_list("name", flat=True).get(pk=organization_id)
    return SellerProfile(organization_id=organization_id, version=0, legal_name=name)


def payment_link(seller: SellerProfile, invoice: Invoice) -> str:
    """Where this invoice can be paid: as the seller says, else by the page that collecting offers; empty for a draft,
    or where there is neither."""
    if not invoice.number:
        return ""
    if not seller.payment_url:
        return offered_link(invoice)
    return seller.payment_url.replace("{invoice}", invoice.pk).replace("{number}", invoice.number)
