"""Settings of how this server is reached: its public address, and the proxies before it."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config import environment as env


def public_url(default: str) -> str:
    """`TAXIMETER_PUBLIC_URL`: scheme, host and port, without a path."""
    url = env.text("TAXIMETER_PUBLIC_URL", default).rstrip("/")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or url != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        raise ImproperlyConfigured(
            f"TAXIMETER_PUBLIC_URL is http(s)://host or http(s)://host:port without a path, not {url!r}"
        )
    return url


def trusted_proxies() -> tuple[tuple[IPv4Network | IPv6Network, ...], bool]:
    """The networks of `TAXIMETER_TRUSTED_PROXIES`, and whether it says `none`: clients connect directly."""
    found = env.listing("TAXIMETER_TRUSTED_PROXIES")
    if found == ["none"]:
        return (), True
    try:
        return tuple(ip_network(one) for one in found), False
    except ValueError as error:
        raise ImproperlyConfigured(f"TAXIMETER_TRUSTED_PROXIES: {error}") from None
