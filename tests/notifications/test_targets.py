"""Where requests may go: nobody outside gets to make us ask a machine inside."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from kernel.targets import AddressRefused, UrlRefused, is_allowed, read_url, usable
from notifications.sending.requests import Requests, Rules
from tests.notifications.conftest import LOOPBACK, Receiver

#: Documentation of each: RFC 6890 and the registries of IANA.
INSIDE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.9.10",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700:4700::1111"]


#: IANA's registries of special-purpose addresses (IPv4 and IPv6), as of 2025: what is not globally reachable, and what
#: wraps addresses or leads to machines that the network operates itself.
SPECIAL = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::1/128", "::/128", "::/96", "::ffff:0:0/104", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
    "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16",
    "3fff::/20", "5f00::/16", "4000::/3", "8000::/1", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
]  # fmt: skip


@pytest.mark.parametrize("network", SPECIAL)
def test_no_request_goes_to_a_special_network(network: str) -> None:
    found = ip_network(network)
    last = found.broadcast_address
    middle = found.network_address + found.num_addresses // 2
    for address in {found.network_address, middle, last}:
        assert not is_allowed(address)
        if address.version == 4:
            for wrapped in (f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"):
                assert not is_allowed(ip_address(wrapped))
        host = f"[{address}]" if address.version == 6 else str(address)
        with pytest.raises(UrlRefused):
            read_url(f"https://{host}/", allows_http=False)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "127.0.1", "1.1", "010.0.0.1", "127.0.0.1.",
     "127.0.0.0x1", "[::ffff:7f00:1]", "[fe80::1%25eth0]", "0"],
)  # fmt: skip
def test_no_request_goes_to_an_address_written_in_another_way(host: str) -> None:
    with pytest.raises((AddressRefused, UrlRefused)):
        read_url(f"https://{host}/", allows_http=False)


@pytest.mark.parametrize("address", INSIDE)
def test_no_request_goes_to_an_address_inside(address: str) -> None:
    assert not is_allowed(ip_address(address))
    with pytest.raises(AddressRefused):
        usable(["93.184.216.34", address])
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(UrlRefused):
        read_url(f"https://{host}/", allows_http=False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_requests_go_to_addresses_of_the_world(address: str) -> None:
    assert is_allowed(ip_address(address))


def test_a_network_that_is_allowed_is_allowed_in_every_way_of_writing_it() -> None:
    mine = [ip_network("10.1.0.0/16")]
    assert is_allowed(ip_address("10.1.2.3"), mine)
    assert is_allowed(ip_address("::ffff:10.1.2.3"), mine)
    assert not is_allowed(ip_address("10.2.0.1"), mine)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https://user:secret@example.com/",
        "https://user@example.com/",
        "https://example.com/#part",
        "https://example.com:22/",
        "https://example.com:25/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://example.com/a b",
        "https://example.com/\r\nHost: inside",
        "https://exämple.com/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://example.com/" + "a" * 2000,
        "example.com",
        "//example.com/",
    ],
)
def test_what_is_no_address_of_a_receiver_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        read_url(url, allows_http=False)


def test_a_url_is_taken_apart_as_a_request_needs_it() -> None:
    target = read_url("https://Hooks.Example.com:8443/in?x=1", allows_http=False)
    assert (target.host, target.port, target.path) == ("hooks.example.com", 8443, "/in?x=1")
    assert target.host_header == "hooks.example.com:8443"
    assert read_url("https://example.com", allows_http=False).host_header == "example.com"
    assert read_url("http://[2606:4700::1]:80/", allows_http=True).host_header == "[2606:4700::1]"


@pytest.mark.parametrize("written", ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"])
def test_other_ways_to_write_a_loopback_address_lead_nowhere(written: str, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    url = written.rstrip("/") + f":{port}/"
    requests = Requests(Rules(allows_http=True))
    answer = requests.post(url, headers={}, body=b"{}")
    assert answer.error.startswith(("address_refused", "name_unknown"))
    assert not receiver.received


def test_a_name_is_looked_up_once_and_the_connection_goes_where_it_led(receiver: Receiver) -> None:
    port = int(receiver.url.split(":")[2].split("/")[0])
    asked: list[str] = []

    def look_up(host: str, _: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    requests = Requests(Rules(allows_http=True, allowed=LOOPBACK), look_up=look_up)
    assert requests.post(f"http://hooks.example.com:{port}/", headers={}, body=b'{"data": {"number": 1}}').status == 204
    assert asked == ["hooks.example.com"]
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{port}"
    requests.close()
    refused = requests.post(f"http://hooks.example.com:{port}/", headers={}, body=b"{}")
    assert refused.error.startswith("address_refused")
    assert len(receiver.received) == 1


def test_a_name_with_one_address_inside_is_refused_altogether(receiver: Receiver) -> None:
    requests = Requests(Rules(allows_http=True), look_up=lambda *_: ["93.184.216.34", "127.0.0.1"])
    assert requests.post("http://hooks.example.com/", headers={}, body=b"{}").error.startswith("address_refused")


def test_a_name_that_nobody_knows_says_so() -> None:
    def unknown(*_: object) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    answer = Requests(Rules(allows_http=True), look_up=unknown).post("http://x.example/", headers={}, body=b"")
    assert answer.error == "name_unknown"
