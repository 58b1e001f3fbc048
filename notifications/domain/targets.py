"""Where we may send requests to: nobody outside gets to make us ask a machine inside (SSRF)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from kernel.errors import InvalidError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Besides these only ports that need no privileges: mail, shells and the like are no receivers.
_LOW_PORTS = (80, 443)
_FIRST_FREE_PORT = 1024

#: IPv6 addresses that stand for an IPv4 address: translation (RFC 6052, RFC 8215), 6to4 and Teredo are by their class.
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")

#: Not reachable from the world, although `ipaddress` has no word for it in every version of Python.
_NEVER = (
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv4Network("168.63.129.16/32"),
    IPv6Network("100::/64"),
    IPv6Network("2001::/23"),
    IPv6Network("fec0::/10"),
)


class UrlRefused(InvalidError):
    """Nothing is sent to this URL."""

    code = "url_refused"


class AddressRefused(InvalidError):
    """The name leads to an address that nothing is sent to."""

    code = "address_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a URL that a request needs. `host` is a name or an address without brackets."""

    is_secure: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


def read_url(url: str, *, allows_http: bool, allowed: Sequence[Network] = ()) -> Target:
    """The target that `url` names; `UrlRefused` with the reason for one that nothing is sent to.

    An address in the URL must be one of the world's or of the `allowed` networks; what a name leads to is checked
    when it is looked up (`usable`).
    """
    if not url.isascii() or not url.isprintable() or any(c in url for c in ' "<>\\^`{|}') or len(url) > 2000:
        raise UrlRefused("A URL has at most 2,000 ASCII characters and no blanks: write others percent-encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlRefused(f"{url} is no URL") from None
    schemes = ("https", "http") if allows_http else ("https",)
    if parts.scheme not in schemes:
        raise UrlRefused(f"A URL here begins with {' or '.join(f'{one}://' for one in schemes)}")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UrlRefused("A URL with a name and a password in it would show them to everybody who sees it")
    if parts.fragment or not host or len(host) > 253 or "%" in host:
        raise UrlRefused("A URL needs a host and has no fragment")
    is_secure = parts.scheme == "https"
    if port is None:
        port = 443 if is_secure else 80
    if port not in _LOW_PORTS and port < _FIRST_FREE_PORT:
        raise UrlRefused(f"Nothing is sent to port {port}: use 80, 443 or one from {_FIRST_FREE_PORT} on")
    literal = _literal(host)
    if literal is not None and not is_allowed(literal, allowed):
        raise UrlRefused(f"{host} is an address of this network, not of the world")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_secure, host, port, path)


def usable(found: Sequence[str], *, allowed: Sequence[Network] = ()) -> list[str]:
    """The addresses a name was found to have, if requests may go to all of them; else `AddressRefused`."""
    addresses = [ip_address(one.partition("%")[0]) for one in found]
    if not addresses:
        raise AddressRefused("The name has no address")
    for one in addresses:
        if not is_allowed(one, allowed):
            raise AddressRefused(f"The name leads to {one}, an address of this network and not of the world")
    return list(dict.fromkeys(map(str, addresses)))


def is_allowed(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether requests may go to `address`: every IPv4 address that it stands for counts too."""
    meant = _meant(address)
    if any(one.version == network.version and one in network for one in meant for network in allowed):
        return True
    return all(_is_worldwide(one) for one in meant)


def _is_worldwide(address: Address) -> bool:
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    refused = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    return address.is_global and not (refused or address.is_reserved or address.is_unspecified)


def _meant(address: Address) -> list[Address]:
    """`address`, or in its place the IPv4 address that it wraps."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    return [address]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
