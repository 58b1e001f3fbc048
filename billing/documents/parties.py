"""Who bills and who is billed: names and addresses as documents and e-invoices need them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale

from billing.documents.languages import Language
from billing.models import InvoiceIdentity, SellerProfile

#: Countries whose envelopes have the postal code after the city.
_CODE_LAST = frozenset({"US", "CA", "AU", "NZ", "GB", "IE", "IN", "SG", "ZA"})


@dataclass(frozen=True, slots=True)
class Party:
    """`country` is ISO 3166-1 alpha-2; empty where it is not known, `country_text` is then what stands for it."""

    name: str
    line1: str = ""
    line2: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    country_text: str = ""
    vat_id: str = ""
    email: str = ""

    def address(self, language: Language, *, abroad: bool = True) -> list[str]:
        """The lines of an envelope, with the country's name where the letter goes `abroad`."""
        if self.country in _CODE_LAST:
            place = ", ".join(filter(None, [self.city, " ".join(filter(None, [self.region, self.postal_code]))]))
            rest = [place]
        else:
            rest = [" ".join(filter(None, [self.postal_code, self.city])), self.region]
        country = language.locale.territories.get(self.country, "") or self.country_text
        return [part for part in (self.line1, self.line2, *rest, country if abroad else "") if part]


def seller_of(profile: SellerProfile) -> Party:
    names = ("line1", "line2", "postal_code", "city", "region", "country", "vat_id", "email")
    return Party(name=profile.legal_name, **{name: getattr(profile, name) for name in names})


def buyer_of(identity: InvoiceIdentity) -> Party:
    """The customer as the invoice keeps it. Its address is what a client once sent, so any of it may be missing."""
    buyer: Mapping[str, Any] = identity.buyer
    address = buyer.get("address")
    address = address if isinstance(address, dict) else {}
    said = {name: str(value).strip() for name, value in address.items() if isinstance(value, str | int)}
    country = country_code(said.get("country", ""))
    return Party(
        name=said.get("name") or buyer["name"],
        line1=said.get("line1") or said.get("street", ""),
        line2=said.get("line2", ""),
        postal_code=said.get("postal_code") or said.get("zip", ""),
        city=said.get("city", ""),
        region=said.get("state") or said.get("region", ""),
        country=country,
        country_text="" if country else said.get("country", ""),
        vat_id=buyer.get("tax_id", ""),
        email=buyer.get("email", ""),
    )


def country_code(text: str) -> str:
    """The ISO 3166-1 code that `text` is, or is the name of in a language of ours; empty for anything else."""
    names = _country_names()
    return text.upper() if text.upper() in names.values() else names.get(text.casefold(), "")


@functools.cache
def _country_names() -> dict[str, str]:
    found = {}
    for language in ("zh", "ja", "ar", "es", "fr", "de", "en"):
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in {"ZZ", "EU", "EZ", "UN", "QO", "XA", "XB"}:
                found[name.casefold()] = code
    return found
