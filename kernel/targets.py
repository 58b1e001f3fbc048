"""Targets of requests that others name: no one outside makes this server ask a machine inside (SSRF)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from string import hexdigits
from urllib.parse import urlsplit

from kernel.errors import InvalidError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Besides these only ports that need no privileges: mail, shells and the like are no receivers.
_LOW_PORTS = (80, 443)
_FIRST_FREE_PORT = 1024

#: Networks that nothing is sent to: the rows of IANA's IPv4 special-purpose address registry (RFC 6890, of 2025) that
#: are not globally reachable, the whole of what it splits up (192.0.0.0/24), multicast, and 6to4's relays (RFC 7526).
#: Written down here because `ipaddress` knows other rows in each version of Python.
_NEVER_IPV4 = tuple(
    IPv4Network(one)
    for one in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # not IANA's: a cloud's own address for its machines
        "169.254.0.0/16",  # link-local, and clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

#: Only these IPv6 addresses are global (RFC 4291, 2.4): loopback, unique local, link-local, site-local, multicast,
#: discard-only, segment routing (5f00::/16) and whatever IANA gives out later lie outside.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
#: Of those, the rows of IANA's IPv6 special-purpose address registry, and 6to4, which may lead to any IPv4 address.
_NEVER_IPV6 = tuple(
    IPv6Network(one)
    for one in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)

#: IPv6 addresses that stand for an IPv4 address: translation (RFC 6052); mapped ones are by their class. Networks' own
#: translation (64:ff9b:1::/48, RFC 8215) may hide the IPv4 address anywhere, and is refused.
_NAT64 = IPv6Network("64:ff9b::/96")


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
        raise UrlRefused("A URL with a name and a password in it would show them to everyone who sees it")
    if parts.fragment or not host or len(host) > 253 or "%" in host:
        raise UrlRefused("A URL needs a host and has no fragment")
    is_secure = parts.scheme == "https"
    if port is None:
        port = 443 if is_secure else 80
    if port not in _LOW_PORTS and port < _FIRST_FREE_PORT:
        raise UrlRefused(f"Nothing is sent to port {port}: use 80, 443 or one from {_FIRST_FREE_PORT} on")
    literal = _literal(host)
    if literal is None and _looks_numeric(host):
        raise AddressRefused(f"{host} is not a host name: write an IPv4 address as four decimal numbers")
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
    """Whether requests may go to `address`, or to the IPv4 address that it stands for."""
    meant = _meant(address)
    return any(meant.version == network.version and meant in network for network in allowed) or _is_worldwide(meant)


def _is_worldwide(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NEVER_IPV4)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _NEVER_IPV6)


def _meant(address: Address) -> Address:
    """`address`, or in its place the IPv4 address that it wraps."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _looks_numeric(host: str) -> bool:
    """Whether resolvers may read `host` as an address in octal, hexadecimal or with parts left out (inet_aton)."""
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or (last[:2].lower() == "0x" and all(c in hexdigits for c in last[2:]))
