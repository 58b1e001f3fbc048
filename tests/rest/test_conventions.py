from __future__ import annotations

from decimal import Decimal

import pytest

from kernel.errors import InvalidError
from rest.pagination import decode_cursor, encode_cursor
from rest.parsers import decode_json
from rest.permissions import allows
from rest.renderers import encode_json, plain_decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+2", "100"), ("0.500", "0.5"), ("-0.00", "0"), ("1E-7", "0.0000001"), ("12", "12"), ("100", "100")],
)
def test_a_decimal_is_written_plainly(value: str, text: str) -> None:
    assert plain_decimal(Decimal(value)) == text


def test_json_numbers_are_read_exactly_and_written_as_text() -> None:
    assert decode_json(b'{"a": 0.1}') == {"a": Decimal("0.1")}
    assert encode_json({"a": Decimal("0.10")}) == b'{"a":"0.1"}'


@pytest.mark.parametrize(
    ("scopes", "needed", "allowed"),
    [
        (["admin"], "write", True),
        (["write"], "read", True),
        (["read"], "write", False),
        (["ingest"], "read", False),
        (["read", "ingest"], "ingest", True),
        ([], "read", False),
    ],
)
def test_scopes_allow_what_they_say(scopes: list[str], needed: str, allowed: bool) -> None:
    assert allows(scopes, needed) is allowed


def test_a_cursor_comes_back_as_it_was_and_a_foreign_one_is_refused() -> None:
    assert decode_cursor(encode_cursor(["a", 1])) == ["a", 1]
    for text in ("", "!", "bm90IGpzb24", "e30"):
        with pytest.raises(InvalidError):
            decode_cursor(text)
