"""The client of a request, by its address; and which headers of a request a proxy has written.

`X-Forwarded-For`, `X-Forwarded-Proto` and their like are believed only where the machine at the other end of the
connection is one of `TAXIMETER_TRUSTED_PROXIES`; everyone else may write them freely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Headers by which proxies name the client, the scheme and the host; removed where no trusted proxy wrote them.
_FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_REAL_IP",
)

#: Networks in which a proxy of one's own may stand. An address in them may be many clients', unless the operator says
#: that there is no proxy.
_INSIDE = tuple(
    ip_network(one)
    for one in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


def client_address(meta: Mapping[str, Any]) -> str | None:
    """The address of the client that sent a request, from its WSGI environment; None where it is unknown.

    Behind trusted proxies: the last address of `X-Forwarded-For` that is not a trusted proxy's; with
    `TAXIMETER_PROXIES`, the one that many from the end.
    """
    address = _client(meta)
    return None if address is None else str(address)


def address_of(request: HttpRequest) -> str | None:
    """The client's address for records of who did what, without a zone; None where the server was given none.

    Where the proxies named fewer clients than they should, the nearest proxy's own.
    """
    found = client_address(request.META) or request.META.get("REMOTE_ADDR", "")
    return str(_address(found) or "").partition("%")[0] or None


def client_network(meta: Mapping[str, Any]) -> str | None:
    """The client by which tries and requests are limited: an IPv4 address, or an IPv6 network of 64 bits, since one
    machine has many addresses of those.

    None where it cannot be known, as behind a proxy that is not configured: an address inside may be every client's.
    """
    address = _client(meta)
    if address is None or (not _speaks_directly(meta) and _is_in(address, _INSIDE)):
        return None
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


def visitor_of(request: HttpRequest) -> str | None:
    """The same of Django's request."""
    return client_network(request.META)


class TrustedProxies:
    """Removes what no trusted proxy wrote, before anything reads it. The first middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_from_proxy(request.META):
            for name in _FORWARDED:
                request.META.pop(name, None)
        elif scheme := request.META.get("HTTP_X_FORWARDED_PROTO"):
            # A proxy that adds to the header leaves the client's own words in front.
            request.META["HTTP_X_FORWARDED_PROTO"] = scheme.rpartition(",")[2].strip().lower()
        return self.get_response(request)


def _client(meta: Mapping[str, Any]) -> Address | None:
    peer = _address(meta.get("REMOTE_ADDR", ""))
    if not _is_from_proxy(meta):
        return peer
    named = [one.strip() for one in meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if settings.PROXIES:
        return _address(named[-settings.PROXIES]) if len(named) >= settings.PROXIES else None
    for text in reversed(named):
        address = _address(text)
        if address is None or not _is_in(address, _proxies()):
            return address
    return None


def _is_from_proxy(meta: Mapping[str, Any]) -> bool:
    peer = _address(meta.get("REMOTE_ADDR", ""))
    return peer is not None and _is_in(peer, _proxies())


def _proxies() -> tuple[Network, ...]:
    """The networks of trusted proxies: private ones, where only a number of proxies is configured."""
    return settings.TRUSTED_PROXIES or (_INSIDE if settings.PROXIES else ())


def _speaks_directly(meta: Mapping[str, Any]) -> bool:
    """Whether the address is known to be the client's own: a trusted proxy named it, or there are no proxies."""
    return settings.NO_PROXIES or _is_from_proxy(meta)


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
