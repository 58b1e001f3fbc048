"""An invoice as an EN 16931 e-invoice, in the terms of the standard (BT-1 and so on), and what it lacks for one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from billing.documents.en16931 import (
    BilledLine,
    ELine,
    TaxCategory,
    TaxGroup,
    beyond_rounding,
    categories_of,
    e_line,
    e_totals,
    expected_tax,
    tax_groups,
)
from billing.documents.issued import IssuedDocument, IssuedLine
from billing.documents.parties import Party
from billing.models import SellerProfile
from billing.rating.pricing.exact import multiply, plain
from kernel.errors import FieldError, InvalidError
from kernel.money import minor_digits, round_to_currency

INVOICE, CREDIT_NOTE = "380", "381"
#: UN/ECE recommendation 20; "one" for what has no unit there.
_UNITS = {"s": "SEC", "second": "SEC", "min": "MIN", "minute": "MIN", "h": "HUR", "hour": "HUR", "day": "DAY"}
_ONE = "C62"
#: UNTDID 4461: a SEPA transfer, a transfer.
_SEPA, _TRANSFER = "58", "30"
_DISCOUNT = "95"
_SELLER_FIELDS = ("legal_name", "line1", "city", "country")
_EXEMPTION_CODES = {TaxCategory.REVERSE_CHARGE: "VATEX-EU-AE", TaxCategory.NOT_SUBJECT: "VATEX-EU-O"}
#: What is not in XML 1.0.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VAT_ID = re.compile(r"[A-Z]{2}[0-9A-Z]{2,18}")


class SellerProfileIncomplete(InvalidError):
    """The seller's profile lacks what an e-invoice needs; `errors` name the fields."""

    code = "seller_profile_incomplete"


class CustomerIncomplete(InvalidError):
    """The customer lacks what an e-invoice needs; `errors` name the fields."""

    code = "customer_incomplete"


class EInvoiceImpossible(InvalidError):
    """The standard has no way to say this."""

    code = "e_invoice_impossible"


def vat_id_of(text: str) -> str:
    """`text` as a VAT identifier with its country's prefix (BR-CO-9), empty where it is none."""
    joined = re.sub(r"[\s.\-]", "", text).upper()
    return joined if _VAT_ID.fullmatch(joined) else ""


def business_terms(document: IssuedDocument) -> dict[str, Any]:
    """The document as the business terms of EN 16931, for `facturx.generate_xml`.

    Raises `SellerProfileIncomplete`, `CustomerIncomplete` and `EInvoiceImpossible`.
    """
    if minor_digits(document.currency) > 2:
        raise EInvoiceImpossible(f"EN 16931 has amounts of two decimals at most, and {document.currency} has more")
    if not document.lines:
        raise EInvoiceImpossible("An e-invoice has one line at least (BR-16), and this document has none")
    billed = [_billed(line) for line in document.lines]
    categories = categories_of(billed, treatment=document.tax_treatment, has_vat_id=bool(document.profile.vat_id))
    _require_seller(document.profile, categories)
    _require_buyer(document.buyer, categories)
    lines = [
        e_line(one, category, currency=document.currency) for one, category in zip(billed, categories, strict=True)
    ]
    groups = tax_groups(zip(lines, (line.tax for line in document.lines), strict=True))
    wrong = beyond_rounding(groups)
    if wrong is not None:
        raise EInvoiceImpossible(_rounded_too_often(wrong, document.currency))
    terms = _header(document) | _parties(document, categories) | _payment(document) | _totals(document, groups)
    terms["BG-25"] = [_line(document, *pair) for pair in zip(document.lines, lines, strict=True)]
    terms["BG-23"] = [_tax(document, group) for group in groups]
    cleaned: dict[str, Any] = _clean(terms)
    return cleaned


def _billed(line: IssuedLine) -> BilledLine:
    return BilledLine(line.amount, line.discount, line.tax, line.tax_rate, line.quantity, line.unit_amount)


def _rounded_too_often(group: TaxGroup, currency: str) -> str:
    rate = f"{plain(multiply(group.rate, Decimal(100)))}%"
    return (
        f"The tax of lines at {rate} sums to {plain(group.tax)} {currency}, and {rate} of {plain(group.base)} "
        f"{currency} is {plain(expected_tax(group))}: EN 16931 (BR-CO-17) allows a difference of less than 1. Set "
        "tax_rounding of the billing policy to document for invoices from now on; this one remains a PDF without XML"
    )


def missing_fields(profile: SellerProfile) -> list[str]:
    """What of `profile` an e-invoice with tax needs and is not there."""
    missing = [name for name in _SELLER_FIELDS if not getattr(profile, name)]
    return missing + ([] if profile.vat_id or profile.tax_number else ["vat_id"])


def _require_seller(profile: SellerProfile, categories: list[TaxCategory]) -> None:
    missing = [name for name in _SELLER_FIELDS if not getattr(profile, name)]
    if TaxCategory.NOT_SUBJECT in categories:
        missing += ["registration"] if not (profile.registration or profile.tax_number) else []
    elif not (profile.vat_id or profile.tax_number):
        missing.append("vat_id")
    _refuse(SellerProfileIncomplete, "The seller's profile", missing)


def _require_buyer(buyer: Party, categories: list[TaxCategory]) -> None:
    missing = ["address/country"] if not buyer.country else []
    if TaxCategory.REVERSE_CHARGE in categories and not vat_id_of(buyer.vat_id):
        missing.append("tax_id")
    _refuse(CustomerIncomplete, "The customer", missing)


def _refuse(error: type[InvalidError], whose: str, missing: list[str]) -> None:
    if missing:
        errors = [FieldError(f"/{name}", "required", "An e-invoice needs it") for name in missing]
        raise error(f"{whose} lacks what an e-invoice needs: {', '.join(missing)}", errors=errors)


def _header(document: IssuedDocument) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "BT-24": "urn:cen.eu:en16931:2017",
        "BT-1": document.number,
        "BT-2": document.issued_on,
        "BT-3": CREDIT_NOTE if document.corrects else INVOICE,
        "BT-5": document.currency,
        "BT-72": document.period[1],
        "BT-73": document.period[0],
        "BT-74": document.period[1],
    }
    if document.corrects:
        number, issued_on = document.corrects
        terms["BG-3"] = [{"BT-25": number, "BT-26": issued_on}]
    if document.reason:
        terms["BG-1"] = [{"BT-22": document.reason}]
    return terms


def _parties(document: IssuedDocument, categories: list[TaxCategory]) -> dict[str, Any]:
    profile, buyer = document.profile, document.buyer
    is_outside = TaxCategory.NOT_SUBJECT in categories
    seller = _party(document.seller) | {
        "vat_identifier": "" if is_outside else vat_id_of(profile.vat_id),
        "tax_identifier": "" if is_outside else profile.tax_number,
        "legal_identifier": profile.registration,
    }
    if not seller["vat_identifier"] and not profile.registration:
        seller["identifiers"] = {None: profile.tax_number}
    contact = {"name": profile.legal_name, "phone": profile.phone, "email": profile.email}
    seller["contacts"] = [contact] if profile.phone or profile.email else []
    vat_id = vat_id_of(buyer.vat_id)
    customer = _party(buyer) | {"vat_identifier": "" if is_outside else vat_id}
    customer["name"] = _said(buyer.name) or document.customer_key
    customer["identifiers"] = {None: document.customer_key}
    return {"BG-4": seller, "BG-7": customer}


def _party(party: Party) -> dict[str, Any]:
    return {
        "name": party.name,
        "postcode": party.postal_code,
        "addr_l1": party.line1,
        "addr_l2": party.line2,
        "city": party.city,
        "country_code": party.country,
        "country_subdivision": party.region,
        "einvoicing_addr": party.email,
        "einvoicing_addr_schemeid": "EM" if party.email else "",
    }


def _payment(document: IssuedDocument) -> dict[str, Any]:
    profile = document.profile
    terms: dict[str, Any] = {"BT-83": document.number, "BT-9": document.due_on}
    if profile.iban and not document.corrects:
        terms |= {
            "BT-81": _SEPA if document.currency == "EUR" else _TRANSFER,
            "BT-84": profile.iban,
            "BT-85": profile.legal_name,
            "BT-86": profile.bic,
        }
    if document.due_on is None:
        terms["BT-20"] = document.language.say("credit_note" if document.corrects else "payment")
    return terms


def _totals(document: IssuedDocument, groups: list[TaxGroup]) -> dict[str, Any]:
    totals = e_totals(groups, prepaid=document.prepaid)
    money = _amounts(document)
    return {
        "BT-106": money(totals.line_total),
        "BT-109": money(totals.line_total),
        "BT-110": money(totals.tax),
        "BT-112": money(totals.total),
        "BT-113": money(totals.prepaid) if totals.prepaid else "",
        "BT-115": money(totals.due),
    }


def _line(document: IssuedDocument, line: IssuedLine, e: ELine) -> dict[str, Any]:
    money = _amounts(document)
    terms: dict[str, Any] = {
        "BT-126": str(line.position + 1),
        "BT-153": _said(line.description) or "-",
        "BT-154": "\n".join(_notes(line, e)),
        "BT-155": line.price_key,
        "BT-129": plain(e.quantity),
        "BT-130": _UNITS.get(line.unit.lower(), _ONE) if e.is_counted else _ONE,
        "BT-146": plain(e.price),
        "BT-131": money(e.net),
        "BT-134": line.period[0],
        "BT-135": line.period[1],
    } | _category(e.category, e.rate, "BT-151", "BT-152")
    discount = document.language.say("discount")
    if e.allowance:
        terms["BG-27"] = [{"amount": money(e.allowance), "reason": discount, "reason_code": _DISCOUNT}]
    if e.charge:
        terms["BG-28"] = [{"amount": money(e.charge), "reason": discount}]
    return terms


def _notes(line: IssuedLine, e: ELine) -> list[str]:
    """How the line came about; with what was counted, where its quantity is one."""
    parts = [" · ".join(filter(None, part)) for part in line.parts]
    return [*([line.quantity_text] if line.quantity_text and not e.is_counted else []), *line.notes, *parts]


def _tax(document: IssuedDocument, group: TaxGroup) -> dict[str, Any]:
    money, say = _amounts(document), document.language.say
    terms = {"BT-116": money(group.base), "BT-117": money(group.tax)}
    terms |= _category(group.category, group.rate, "BT-118", "BT-119")
    reasons = {
        TaxCategory.EXEMPT: say("exempt_note"),
        TaxCategory.REVERSE_CHARGE: say("reverse_note"),
        TaxCategory.NOT_SUBJECT: say("outside_note"),
    }
    if group.category in reasons:
        terms |= {"BT-120": reasons[group.category], "BT-121": _EXEMPTION_CODES.get(group.category, "")}
    return terms


def _category(category: TaxCategory, rate: Decimal, code: str, percent: str) -> dict[str, str]:
    """What is outside the scope of VAT has no rate (BR-O-5)."""
    shown = "" if category == TaxCategory.NOT_SUBJECT else plain(rate * 100)
    return {code: str(category), percent: shown}


def _amounts(document: IssuedDocument) -> Any:
    return lambda amount: format(round_to_currency(amount, document.currency), "f")


def _said(text: str) -> str:
    """What of `text` can be read in XML; blanks are nothing (BR-7, BR-25)."""
    return _FORBIDDEN.sub("", text).strip()


def _clean(value: Any) -> Any:
    """Without what is not said, and without what XML cannot hold."""
    if isinstance(value, Mapping):
        return {name: _clean(item) for name, item in value.items() if item not in ("", None)}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        return _FORBIDDEN.sub("", value)
    assert value is None or isinstance(value, date)
    return value
