from __future__ import annotations

from decimal import Decimal

import pytest

from kernel.errors import InvalidError
from rest.access import Permission, key_has
from rest.pagination import decode_cursor, encode_cursor
from rest.parsers import decode_json
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
    ("scopes", "roles", "permission", "allowed"),
    [
        (["admin"], [], "build", True),
        (["write"], [], "see", True),
        (["write"], [], "move_money", False),
        (["billing:write"], [], "move_money", True),
        (["billing:write"], [], "build", False),
        (["read"], [], "build", False),
        (["ingest"], [], "see", False),
        (["read", "ingest"], [], "send_events", True),
        ([], [], "see", False),
        (["admin"], [], "manage_sign_in", False),
        (["admin"], ["admin"], "move_money", True),
        (["admin"], ["developer"], "move_money", False),
        (["admin"], ["owner", "finance"], "build", False),
        (["admin"], ["developer", "finance"], "see", True),
    ],
)
def test_a_key_may_do_what_its_scopes_and_every_role_that_bounds_it_allow(
    scopes: list[str], roles: list[str], permission: str, allowed: bool
) -> None:
    assert key_has(Permission(permission), scopes=scopes, roles=roles) is allowed


def test_a_cursor_comes_back_as_it_was_and_a_foreign_one_is_refused() -> None:
    assert decode_cursor(encode_cursor(["a", 1])) == ["a", 1]
    for text in ("", "!", "bm90IGpzb24", "e30"):
        with pytest.raises(InvalidError):
            decode_cursor(text)
