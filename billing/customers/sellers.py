"""What an organization says of itself on its documents, and what of it stands on an invoice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.facade import ERASED, KeyPurpose, record_audit, sealers, unseal_one
from billing.customers.models import seller_profile_id
from billing.customers.queries import seller_profile_of
from billing.documents.logos import LogoInvalid, as_svg, checked_media_type
from billing.documents.profile_fields import checked_fields
from billing.documents.typesetting import is_drawable
from billing.models import Customer, Invoice, InvoiceIdentity, SellerLogo, SellerProfile

_BUYER = ("name", "email", "address", "tax_id", "locale")

_OWN = tuple(
    field.attname
    for field in SellerProfile._meta.concrete_fields
    if field.name not in {"id", "organization", "version", "created_at"}
)


def change_seller_profile(
    *, organization_id: int, now: datetime, actor: str = "system", **fields: Any
) -> SellerProfile:
    """A new version with some fields changed (`billing.documents.profile_fields.FIELDS`), for documents issued from
    now on. Nothing is stored where nothing is other than it was. Raises `SellerProfileInvalid`."""
    return _change(organization_id, now, actor, checked_fields(fields))


def change_logo(*, organization_id: int, content: bytes | None, now: datetime, actor: str = "system") -> SellerProfile:
    """A new version with this logo (a PNG or SVG), or with none. Raises `LogoInvalid` and `LogoTooLarge`."""
    with transaction.atomic():
        logo = None if content is None else _stored_logo(organization_id, content)
        return _change(organization_id, now, actor, {"logo_id": logo and logo.pk})


def _change(organization_id: int, now: datetime, actor: str, fields: Mapping[str, Any]) -> SellerProfile:
    with transaction.atomic():
        _lock(organization_id)
        before = seller_profile_of(organization_id)
        values = {name: getattr(before, name) for name in _OWN}
        changed = {name: value for name, value in fields.items() if values[name] != value}
        if not changed and before.version:
            return before
        SellerProfile.objects.create(
            organization_id=organization_id, version=before.version + 1, created_at=now, **(values | changed)
        )
        record_audit(
            organization_id=organization_id,
            actor=actor,
            action="seller_profile.change",
            target=f"seller_profile:{before.version + 1}",
            fields=sorted(changed),
        )
    return seller_profile_of(organization_id)


def _stored_logo(organization_id: int, content: bytes) -> SellerLogo:
    media_type = checked_media_type(content)
    if not is_drawable(as_svg(SellerLogo(content=content, media_type=media_type))):
        raise LogoInvalid("This picture cannot be drawn")
    digest = hashlib.sha256(content).hexdigest()
    found, _ = SellerLogo.objects.get_or_create(
        organization_id=organization_id, digest=digest, defaults={"content": content, "media_type": media_type}
    )
    return found


def record_identities(*, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None:
    """Keep who bills whom with `invoices`, in the transaction that finalizes them. Those that have it keep theirs."""
    if not invoices:
        return
    seller = seller_profile_of(organization_id)
    if not seller.version:
        seller = _first_profile(organization_id, seller, now)
    customers = Customer.objects.in_bulk({invoice.customer_id for invoice in invoices})
    seals = sealers(organization_id=organization_id, purpose=KeyPurpose.DOCUMENTS, holders=customers)
    buyers = {pk: seals[pk](_buyer(customer)) for pk, customer in customers.items()}
    InvoiceIdentity.objects.bulk_create(
        [InvoiceIdentity(invoice=one, seller=seller, buyer=buyers[one.customer_id]) for one in invoices],
        ignore_conflicts=True,
        batch_size=1000,
    )


def _buyer(customer: Customer) -> dict[str, Any]:
    return {name: getattr(customer, name) for name in _BUYER}


def identity_of(invoice: Invoice) -> InvoiceIdentity:
    """Who billed whom, with the buyer decrypted. Of an invoice that was finalized before this was kept, it is kept
    now; of a draft, it is how it would be now. A buyer whose documents key was destroyed is called `[erased]`."""
    rows = InvoiceIdentity.objects.select_related("seller__logo")
    found = rows.filter(invoice_id=invoice.pk).first()
    if found is None and invoice.number is not None:
        now = invoice.finalized_at or invoice.created_at
        with transaction.atomic():
            record_identities(organization_id=invoice.organization_id, invoices=[invoice], now=now)
        found = rows.get(invoice_id=invoice.pk)
    if found is not None:
        buyer = unseal_one(found.buyer, organization_id=invoice.organization_id)
        found.buyer = buyer if isinstance(buyer, dict) else {"name": ERASED}
        return found
    seller = seller_profile_of(invoice.organization_id)
    return InvoiceIdentity(invoice=invoice, seller=seller, buyer=_buyer(invoice.customer))


def buyer_on(invoice: Invoice) -> dict[str, Any]:
    """The buyer that an invoice names, or would name; see `identity_of`."""
    return dict(identity_of(invoice).buyer)


def _first_profile(organization_id: int, unsaved: SellerProfile, now: datetime) -> SellerProfile:
    unsaved.pk, unsaved.version, unsaved.created_at = seller_profile_id(), 1, now
    SellerProfile.objects.bulk_create([unsaved], ignore_conflicts=True)
    return SellerProfile.objects.get(organization_id=organization_id, version=1)


def _lock(organization_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM accounts_organization WHERE id = %s FOR NO KEY UPDATE", [organization_id])
