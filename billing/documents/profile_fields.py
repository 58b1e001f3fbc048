"""What may be said in a seller's profile: each field checked and written in one way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from stdnum import iban as iban_numbers
from stdnum.exceptions import ValidationError as NumberInvalid

from billing.documents.languages import LANGUAGES, is_language
from billing.documents.parties import country_code
from kernel.errors import FieldError, InvalidError

_LENGTHS = {
    "legal_name": 200,
    "line1": 200,
    "line2": 200,
    "postal_code": 30,
    "city": 100,
    "region": 100,
    "tax_number": 40,
    "registration": 100,
    "bank_name": 100,
    "phone": 40,
    "website": 200,
    "footer": 1000,
}
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
_VAT_ID = re.compile(r"[A-Z]{2}[0-9A-Z]{2,18}")
_COLOR = re.compile(r"#[0-9a-f]{6}")


class SellerProfileInvalid(InvalidError):
    """A field of a seller's profile makes no sense; `errors` name them."""

    code = "seller_profile_invalid"


def checked_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """`fields` of a profile, each in its one form (no spaces in numbers, codes in capitals).

    Raises `SellerProfileInvalid` with every field that cannot be.
    """
    found, errors = {}, []
    for name, value in fields.items():
        try:
            if not isinstance(value, str):
                raise ValueError("Write a text")
            found[name] = _checked(name, value.strip())
        except ValueError as error:
            errors.append(FieldError(f"/{name}", f"{name}_invalid", str(error)))
    if errors:
        raise SellerProfileInvalid("The seller's profile cannot be like this", errors=errors)
    return found


def _checked(name: str, value: str) -> str:
    if any(not character.isprintable() for character in value.replace("\r\n", "\n").replace("\n", "")):
        raise ValueError("There is a character that cannot be printed")
    if name in _LENGTHS:
        if len(value) > _LENGTHS[name]:
            raise ValueError(f"At most {_LENGTHS[name]} characters")
        if name == "legal_name" and not value:
            raise ValueError("Whoever bills has a name")
        return value if name == "footer" else " ".join(value.split())
    return _CHECKS[name](value) if value or name in ("locale", "color") else ""


def _country(value: str) -> str:
    if len(value) != 2 or not country_code(value):
        raise ValueError("Write a country as ISO 3166-1 has it, such as DE")
    return value.upper()


def _vat_id(value: str) -> str:
    joined = re.sub(r"[\s.\-]", "", value).upper()
    if not _VAT_ID.fullmatch(joined):
        raise ValueError("A VAT id begins with the letters of its country, such as DE123456789")
    return joined


def _iban(value: str) -> str:
    try:
        return str(iban_numbers.validate(value, check_country=False))
    except NumberInvalid:
        raise ValueError("This is no IBAN: its check digits are wrong") from None


def _bic(value: str) -> str:
    joined = value.replace(" ", "").upper()
    if not _BIC.fullmatch(joined):
        raise ValueError("A BIC has 8 or 11 letters and digits, such as COBADEFFXXX")
    return joined


def _email(value: str) -> str:
    try:
        validate_email(value)
    except ValidationError:
        raise ValueError("This is no e-mail address") from None
    return value


def _payment_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or len(value) > 500 or " " in value:
        raise ValueError("Write an address that begins with https://, of at most 500 characters")
    return value


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value.lower()):
        raise ValueError("Write a colour as #1f4e79")
    return value.lower()


def _locale(value: str) -> str:
    if not is_language(value):
        raise ValueError(f"There are words for {', '.join(LANGUAGES)}, with or without a region, such as de-AT")
    return value


_CHECKS: dict[str, Callable[[str], str]] = {
    "country": _country,
    "vat_id": _vat_id,
    "iban": _iban,
    "bic": _bic,
    "email": _email,
    "payment_url": _payment_url,
    "color": _color,
    "locale": _locale,
}

#: All that may be said, in the order of a form.
FIELDS = (
    *("legal_name", "line1", "line2", "postal_code", "city", "region", "country"),
    *("vat_id", "tax_number", "registration", "email", "phone", "website"),
    *("bank_name", "iban", "bic", "payment_url", "color", "footer", "locale"),
)
