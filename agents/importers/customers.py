"""Whose work is imported. A customer may be made after its events: unknown is a warning, never an error."""

from __future__ import annotations

from collections.abc import Collection

from accounts.facade import Organization
from billing.facade import customers_of, get_customer
from kernel.errors import InvalidError, NotFoundError
from kernel.keys import customer_key_refusal


def customer_named(organization: Organization, reference: str) -> tuple[str, list[str]]:
    """The key of the customer with this key or id, and warnings; one nobody knows keeps `reference` as its key."""
    if (refusal := customer_key_refusal(reference)) is not None:
        raise InvalidError(f"{reference!r:.80} can never be a customer's key: {refusal}", code="customer_invalid")
    try:
        return get_customer(organization_id=organization.pk, customer=reference).key, []
    except NotFoundError:
        return reference, [f"There is no customer {reference!r} yet: the events are kept, and count once there is one"]


def is_customer_key(key: str | None) -> bool:
    """Whether `key` can be a customer's key. Events with another subject are refused by name where they come in."""
    return key is not None and customer_key_refusal(key) is None


def warnings_about(organization: Organization, keys: Collection[str]) -> list[str]:
    """A warning where some of `keys` are no customers' yet."""
    known = set(customers_of(organization.pk).filter(key__in=keys).values_list("key", flat=True))
    unknown = sorted(set(keys) - known)
    if not unknown:
        return []
    some = ", ".join(repr(key) for key in unknown[:5]) + (", …" if len(unknown) > 5 else "")
    return [f"{len(unknown):,} customer(s) are not known yet ({some}): their events count once they are"]
