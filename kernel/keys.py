"""Keys of customers: the names by which usage events, addresses, files and people refer to them."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from unicodedata import category, is_normalized, name
from urllib.parse import unquote

LONGEST_CUSTOMER_KEY = 128
#: What a key may hold beside letters and digits. It begins with a letter or a digit.
SIGNS = "._:@+|-"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+|-]{0,127}")


@lru_cache(maxsize=8_192)
def customer_key_refusal(text: str) -> str | None:
    """Return why `text` can never be a customer's key; None where it can be one.

    A key has letters and digits of any script in Unicode's form NFC and the signs . _ : @ + | -, begins with a letter
    or a digit, and has at most 128 characters. It is compared character by character: case counts.
    """
    if _PLAIN.fullmatch(text):
        return None
    if not text:
        return "it is empty"
    if len(text) > LONGEST_CUSTOMER_KEY:
        return f"it has more than {LONGEST_CUSTOMER_KEY} characters"
    if text != text.strip():
        return "it begins or ends with a space"
    if not is_normalized("NFC", text):
        return "its letters are decomposed. Send it in Unicode's form NFC"
    refused = next((one for one in text if not _is_allowed(one)), None)
    if refused is not None:
        return f"it holds {_named(refused)}. A key has letters, digits and {' '.join(SIGNS)}"
    if not _is_allowed(text[0], first=True):
        return f"it begins with {_named(text[0])}. A key begins with a letter or a digit"
    return None


def _is_allowed(character: str, *, first: bool = False) -> bool:
    kind = category(character)
    if kind[0] == "L" or kind == "Nd":
        return True
    return not first and (kind[0] == "M" or character in SIGNS)


def _named(character: str) -> str:
    if character.isascii() and character.isprintable() and character != " ":
        return repr(character)
    return f"U+{ord(character):04X} ({name(character, 'no character').lower()})"


def customer_in_header(value: str) -> str:
    """Return the customer's key in a header's value as WSGI gives it (Latin-1), stripped.

    A header holds UTF-8, or percent-encoded UTF-8 from clients that send ASCII alone: no key holds a percent sign.
    """
    with suppress(UnicodeError):  # it is Latin-1, or was decoded before
        value = value.encode("latin-1").decode()
    return unquote(value.strip())
