"""Parameters that several lists are filtered by."""

from __future__ import annotations

from collections.abc import Mapping

from billing.facade import get_customer
from kernel.errors import InvalidError, NotFoundError


def text_parameter(asked: Mapping[str, str], name: str) -> str | None:
    value = asked.get(name) or None
    if value is not None and "\x00" in value:
        raise InvalidError(f"{name} cannot hold the character U+0000", code=f"{name}_invalid")
    return value


def customer_key(organization_id: int, reference: str | None) -> str | None:
    """The key by which events name a customer; one whom nobody has entered is named by it already."""
    if reference is None:
        return None
    try:
        return str(get_customer(organization_id=organization_id, customer=reference).key)
    except NotFoundError:
        return reference
