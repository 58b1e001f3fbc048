"""Characters of a customer, its lines or a seller that documents cannot show, named before anything is issued."""

from __future__ import annotations

from collections.abc import Iterable

from billing.documents.profile_fields import FIELDS
from billing.documents.typesetting import unprintable
from billing.models import Customer, SellerProfile


def unprintable_of_customer(customer: Customer, *descriptions: str) -> list[str]:
    """Return the characters of a customer's details, and of the `descriptions` of lines, that no font has."""
    address = customer.address.values() if isinstance(customer.address, dict) else ()
    shown = [customer.name, customer.key, customer.tax_id, *(text for text in address if isinstance(text, str))]
    return unprintable(*shown, *descriptions)


def unprintable_of_seller(profile: SellerProfile) -> list[str]:
    """Return the characters of a seller profile that no font has."""
    return unprintable(*(getattr(profile, name) for name in FIELDS))


def unprintable_detail(characters: Iterable[str]) -> str:
    """Return the sentence that says what documents do with `characters`, and what to do about it."""
    return f"No font prints {' '.join(characters)}: documents show □ instead. Change the text before they are issued"
