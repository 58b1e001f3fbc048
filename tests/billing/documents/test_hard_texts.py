"""Texts that are hard to set: long words, both directions of writing, many lines, scripts without a font."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader

from billing.documents.content import content_of
from billing.documents.issued import IssuedDocument
from billing.documents.languages import language_of
from billing.documents.making import file_of
from billing.documents.parties import Party, seller_of
from billing.documents.typesetting import MISSING, draw, typeset, unprintable
from tests.billing.clocked import Clocked
from tests.billing.documents.conftest import october
from tests.billing.documents.test_e_invoice import document, line, profile

WHITE, NOTHING = b"\xff" * 3, bytes(4)
PPI = 24  # enough to see a stain, and quick to decode
FSI, PDI = "\u2068", "\u2069"


def printed(shown: IssuedDocument) -> PdfReader:
    return PdfReader(io.BytesIO(file_of(shown, with_xml=True)))


def text_of(reader: PdfReader) -> str:
    return "".join("".join(page.extract_text().split()) for page in reader.pages)


def stained(shown: IssuedDocument) -> list[str]:
    """Margins (20 mm left and right, 5 mm at the foot) in which something is drawn, by page."""
    found = []
    for number, png in enumerate(draw(content_of(shown), ppi=PPI), start=1):
        rows = pixels(png)[5:]  # below the coloured bar
        side, foot = int(20 / 25.4 * PPI) - 1, int(5 / 25.4 * PPI)
        parts = {
            "left": [row[:side] for row in rows],
            "right": [row[-side:] for row in rows],
            "foot": rows[-foot:],
        }
        found += [
            f"{name} of page {number}"
            for name, part in parts.items()
            if any(pixel[:3] != WHITE for row in part for pixel in row)
        ]
    return found


def pixels(png: bytes) -> list[list[bytes]]:
    """The rows of a PNG of 8-bit RGBA, as typst writes them (PNG specification, 9.2)."""
    at, data, width = 8, b"", int.from_bytes(png[16:20], "big")
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    raw, stride = zlib.decompress(data), width * 4
    rows, before = [], [bytes(4)] * width
    for start in range(0, len(raw), stride + 1):
        kind, corner, left, row = raw[start], bytes(4), bytes(4), []
        for place in range(width):
            up, coded = before[place], raw[start + 1 + 4 * place : start + 5 + 4 * place]
            if not (kind and left == up == corner and coded == NOTHING):  # else as beside, whatever the filter
                guesses = [guess(kind, *three) for three in zip(left, up, corner, strict=True)]
                left = bytes((byte + guessed) % 256 for byte, guessed in zip(coded, guesses, strict=True))
            row.append(left)
            corner = up
        rows.append(row)
        before = row
    return rows


def guess(kind: int, left: int, up: int, corner: int) -> int:
    """The byte that a PNG's filter expects, by those beside and above it."""
    return (0, left, up, (left + up) // 2, paeth(left, up, corner) if kind == 4 else 0)[kind]


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))


@pytest.mark.parametrize("letter", ["W", "i", "Ж", "א", "م", "क", "字", "ก", "-", "👍", "x\u0301"])
def test_long_words_break_within_the_margins_and_are_extracted_whole(letter: str) -> None:
    word = letter * (150 // len(letter))
    own = replace_profile(legal_name=word, line1=word, city=word, registration=word, footer=word)
    long = document(
        replace(line("10", "0.19"), description=word, notes=[word], quantity_text=f"3 {word}", unit_price_text="€5",
                parts=[[word, "1", "€1", "€1"]]),
        profile=own, seller=seller_of(own), buyer=Party(word, line1=word, city=word, country="AT"),
        payment_link=f"https://pay.example/{word}", reason=word,
    )  # fmt: skip
    assert stained(long) == []
    if letter in ("W", "i", "Ж", "字", "-"):  # what is drawn from left to right is extracted as it is written
        assert text_of(printed(long)).count(word) >= 5


def replace_profile(**changes: str) -> Any:
    return profile(vat_id="DE123456789", **changes)


@pytest.mark.parametrize(
    ("tag", "name"), [("en", "חברת אלפא (ישראל) 2000"), ("de", "شركة ألفا 2000"), ("ar", "Alpha +49 30 Ltd")]
)
def test_names_of_the_other_direction_are_kept_apart(tag: str, name: str) -> None:
    own = replace_profile(legal_name=name)
    mixed = document(
        replace(line("10"), description=name), language=language_of(tag), profile=own, seller=seller_of(own),
        buyer=Party(name, line1=name, city="Wien", country="AT"),
    )  # fmt: skip
    content, apart = content_of(mixed), f"{FSI}{name}{PDI}"
    shown = [content["seller"]["shown"], content["buyer"]["name"], content["lines"][0]["description"]]
    assert shown == [apart] * 3
    assert content["buyer"]["lines"][0] == apart
    assert content["footer"][0][0] == apart
    assert content["sender"].startswith(f"{apart} · ")
    reader = printed(mixed)
    assert stained(mixed) == []
    assert MISSING not in text_of(reader)
    # Digits stand the same way around in both directions.
    assert ("2000" in text_of(reader)) if "2000" in name else ("+4930" in text_of(reader))


def test_a_thousand_lines_are_all_printed() -> None:
    many = [replace(line("0.05", "0.19", position=n), description=f"Line {n} of a thousand") for n in range(1000)]
    reader = printed(document(*many))
    text = text_of(reader)
    assert all(f"Line{n}ofathousand" in text for n in range(1000))
    assert f"Page1of{len(reader.pages)}" in text


def test_characters_without_a_font_are_named_and_never_fail() -> None:
    assert unprintable("Acme 🚀 Müller", "日本 🚀 ไทย") == ["🚀"]
    assert unprintable("தமிழ்") == ["த", "ம", "ி", "ழ", "்"]
    assert unprintable("أهلا שלום नमस्ते 한국 Ελλάς \u200f\u00ad plain\n") == []
    assert unprintable("\ue000") == ["\ue000"]
    content = content_of(document(line("1"), buyer=Party("🚀 தமிழ் \ue000 \ufdd0", country="AT")))
    assert MISSING in PdfReader(io.BytesIO(typeset(content, at=document().created_at))).pages[0].extract_text()


@pytest.mark.django_db
def test_the_api_names_what_documents_cannot_show_before_they_are_issued(seller: Clocked) -> None:
    api = seller.api
    assert api.patch("seller_profile", {"footer": "Danke 🙏"}).json()["unprintable"] == ["🙏"]
    invoice = october(seller, name="Acme 🚀", address={"line1": "தமிழ் 1", "country": "US"})
    found = ["🚀", "த", "ம", "ி", "ழ", "்"]
    assert api.get("customers/acme").json()["unprintable"] == found
    assert api.get(f"invoices/{invoice['id']}").json()["unprintable"] == found
    assert api.patch("customers/acme", {"name": "Acme", "address": {}}).json()["unprintable"] == []
    charge = {"customer": "acme", "description": "Set-up 🛠", "amount": "1"}
    assert api.post("charges", charge).json()["unprintable"] == ["🛠"]
    prices = [{"key": "base", "name": "Basis 🧱", "kind": "fixed", "model": {"type": "flat", "amount": "1"}}]
    plan = api.post("plans", {"key": "bricks", "currency": "EUR", "prices": prices})
    assert plan.json()["prices"][0]["unprintable"] == ["🧱"]
    assert api.get(f"invoices/{invoice['id']}/pdf").content.startswith(b"%PDF")
