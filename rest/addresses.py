"""Where a request comes from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def visitor_of(request: HttpRequest) -> str | None:
    """Whose request this is, by its address: of IPv6 the network, since one machine has many of its addresses.

    None where it cannot be told, as behind a proxy that nobody spoke of (`TAXIMETER_PROXIES`): an address that is not
    of the world may be everybody's. What a visitor writes into `X-Forwarded-For` itself is never believed.
    """
    proxies = settings.PROXIES
    told = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",")] if proxies else []
    if proxies and len(told) < proxies:
        return None
    text = told[-proxies] if proxies else request.META.get("REMOTE_ADDR", "")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if not proxies and not address.is_global:
        return None
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
