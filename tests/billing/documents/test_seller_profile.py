"""What an organization says of itself: checked, kept in versions, with a logo that can do no harm."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest

from accounts.facade import create_api_key
from billing.models import SellerLogo, SellerProfile
from tests.api import Api
from tests.billing.documents.conftest import LOGO, SELLER

pytestmark = pytest.mark.django_db


def put_logo(api: Api, content: bytes, media_type: str = "image/svg+xml") -> Any:
    return api.client.put("/api/v1/seller_profile/logo", data=content, content_type=media_type)


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + b"\x0b\x6e\x4f" * min(width, 40) for _ in range(min(height, 40)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_profile_begins_with_the_organizations_name(api: Api) -> None:
    found = api.get("seller_profile").json()
    assert (found["version"], found["legal_name"], found["locale"]) == (0, api.organization.name, "en")
    assert SellerProfile.objects.count() == 0


def test_fields_are_written_in_one_way_and_each_change_is_a_version(api: Api) -> None:
    first = api.patch("seller_profile", SELLER).json()
    assert (first["version"], first["iban"], first["missing"]) == (1, "DE89370400440532013000", [])
    assert api.patch("seller_profile", {"city": "Berlin"}).json()["version"] == 1  # nothing is other than it was
    assert api.patch("seller_profile", {"country": "at", "vat_id": "at u 123.456-78"}).json() == first | {
        "version": 2,
        "country": "AT",
        "vat_id": "ATU12345678",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("country", "Germany"),
        ("country", "ZZ"),
        ("vat_id", "123456789"),
        ("iban", "DE89370400440532013001"),
        ("bic", "COBA"),
        ("email", "nobody"),
        ("payment_url", "http://pay.example"),
        ("payment_url", "javascript:alert(1)"),
        ("color", "red"),
        ("locale", "xx"),
        ("legal_name", " "),
        ("city", "x" * 101),
        ("phone", "1\x002"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(api: Api, name: str, value: str) -> None:
    refused = api.patch("seller_profile", {name: value})
    assert refused.status_code in (400, 422), refused.content
    assert refused.json()["errors"][0]["pointer"] == f"/{name}"
    assert SellerProfile.objects.count() == 0


def test_an_unknown_field_is_refused(api: Api) -> None:
    assert api.patch("seller_profile", {"slogan": "Yes"}).json()["errors"][0]["code"] == "unknown_field"


def test_only_an_admin_key_says_where_money_goes(api: Api) -> None:
    _, secret = create_api_key(organization=api.organization, name="writer", scopes=["write"])
    answer = api.client.patch(
        "/api/v1/seller_profile",
        data='{"iban": "DE89370400440532013000"}',
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_logos_are_kept_by_content_and_taken_away(api: Api) -> None:
    assert put_logo(api, LOGO).status_code == 200
    shown = api.get("seller_profile/logo")
    assert (shown.content, shown["Content-Type"]) == (LOGO, "image/svg+xml")
    assert "sandbox" in shown["Content-Security-Policy"]
    assert put_logo(api, png(40, 40), "image/png").json()["version"] == 2
    assert put_logo(api, LOGO).json()["version"] == 3
    assert SellerLogo.objects.count() == 2
    assert api.client.delete("/api/v1/seller_profile/logo").json()["logo"] is None
    assert api.get("seller_profile/logo").json()["code"] == "logo_not_found"


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">{}</svg>'


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a",
        b"<html></html>",
        SVG.format("<script>alert(1)</script>").encode(),
        SVG.format('<rect onload="alert(1)"/>').encode(),
        SVG.format('<foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>').encode(),
        SVG.format('<image href="file:///etc/passwd"/>').encode(),
        SVG.format('<use xlink:href="https://evil.example/x.svg#a"/>').encode(),
        SVG.format("<style>@import 'https://evil.example/x.css';</style>").encode(),
        SVG.format("<rect fill=\"url('https://evil.example/#a')\"/>").encode(),
        SVG.format("<filter/>").encode(),
        SVG.format('<use href="#a"/>' * 21).encode(),
        b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("<text>&a;</text>").encode(),
        b'<?xml-stylesheet href="https://evil.example/x.css"?>' + SVG.format("").encode(),
        SVG.format("")[:-6].encode(),
        b'<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0"/>',
        png(2001, 10),
        png(10, 10)[:40],
    ],
)
def test_a_logo_that_could_do_more_than_be_drawn_is_refused(api: Api, content: bytes) -> None:
    refused = put_logo(api, content)
    if b"xml-stylesheet" in content:
        assert refused.status_code in (200, 422)  # outside the picture: nothing reads it
        return
    assert (refused.status_code, refused.json()["code"]) == (422, "logo_invalid")
    assert SellerLogo.objects.count() == 0


def test_a_logo_has_a_size(api: Api) -> None:
    refused = put_logo(api, b"\x89PNG\r\n\x1a\n" + b"\0" * 256 * 1024, "image/png")
    assert (refused.status_code, refused.json()["code"]) == (413, "logo_too_large")
