"""What stands on a document, as the template (`templates/invoice.typ`) lays it out: texts only, in their order."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from billing.documents.en16931 import BilledLine, TaxCategory, categories_of, e_line, tax_groups
from billing.documents.issued import IssuedDocument, IssuedLine
from billing.documents.logos import as_svg
from billing.documents.payment_codes import transfer_code

Row = dict[str, str]

#: Hebrew, Arabic and the scripts beside them, and their presentation forms.
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
).search
_FIRST_STRONG, _POP = "\u2068", "\u2069"
_TAX_WORDS = {
    TaxCategory.STANDARD: "tax_on",
    TaxCategory.ZERO: "tax_none_on",
    TaxCategory.EXEMPT: "tax_exempt_on",
    TaxCategory.REVERSE_CHARGE: "tax_reverse_on",
}


def content_of(document: IssuedDocument) -> dict[str, Any]:
    """The template's input."""
    language, profile = document.language, document.profile
    return {
        "language": language.tag,
        "region": language.locale.territory,
        "rtl": language.is_rtl,
        "fonts": language.fonts,
        "color": profile.color,
        "logo": as_svg(profile.logo) if profile.logo else "",
        "title": language.say("credit_note" if document.corrects else "invoice"),
        "number": document.number,
        "mark": _mark(document),
        "seller": {"name": document.seller.name, "shown": _isolated(document, document.seller.name)},
        "sender": " · ".join(
            _isolated(document, part)
            for part in [document.seller.name, *document.seller.address(language, abroad=False)]
        ),
        "buyer": {"name": _isolated(document, document.buyer.name), "lines": _buyer_lines(document)},
        "facts": [[label, _isolated(document, value)] for label, value in _facts(document)],
        "columns": [language.say(word) for word in ("description", "quantity", "unit_price", "amount")],
        "opening": _opening(document),
        "lines": [_line(document, line) for line in document.lines],
        "totals": _totals(document),
        "closing": _closing(document),
        "payment": _payment(document),
        "small_print": _isolated(document, profile.footer),
        "footer": [[_isolated(document, line) for line in part] for part in _footer(document)],
        "page": language.say("page"),
    }


def _isolated(document: IssuedDocument, text: str) -> str:
    """A name or number in a direction of its own, so that "+49 30" stays one in Arabic, a Hebrew name in English."""
    return f"{_FIRST_STRONG}{text}{_POP}" if text and (document.language.is_rtl or _RIGHT_TO_LEFT(text)) else text


def _mark(document: IssuedDocument) -> Row:
    say = document.language.say
    if document.status == "draft":
        return {"kind": "draft", "label": say("draft"), "text": say("draft")}
    if document.status == "void":
        return {"kind": "void", "label": say("void"), "text": say("void")}
    if document.status == "paid" and document.paid_on:
        text = f"{say('paid')} · {document.language.date(document.paid_on)}"
        return {"kind": "paid", "label": say("paid"), "text": text}
    return {"kind": "plain", "label": "", "text": ""}


def _buyer_lines(document: IssuedDocument) -> list[str]:
    is_abroad = document.buyer.country != document.seller.country
    return [_isolated(document, line) for line in document.buyer.address(document.language, abroad=is_abroad)]


def _facts(document: IssuedDocument) -> list[tuple[str, str]]:
    language, say = document.language, document.language.say
    facts = []
    if document.number:
        facts.append((say("issued"), language.date(document.issued_on)))
    if document.corrects:
        number, issued_on = document.corrects
        facts.append((say("corrects"), f"{number} {say('of_date', date=language.date(issued_on))}"))
    elif document.due_on and document.status != "void":
        facts.append((say("due"), language.date(document.due_on)))
    facts.append((say("period"), language.between(*document.period)))
    facts.append((say("customer"), document.customer_key))
    if document.buyer.vat_id:
        facts.append((say("buyer_tax_id"), document.buyer.vat_id))
    if document.reason:
        facts.append((say("reason"), document.reason))
    return facts


def _opening(document: IssuedDocument) -> list[str]:
    word = {"draft": "draft_note", "void": "void_note"}.get(document.status)
    return [document.language.say(word)] if word else []


def _line(document: IssuedDocument, line: IssuedLine) -> dict[str, Any]:
    return {
        "description": _isolated(document, line.description),
        "notes": [_isolated(document, note) for note in line.notes],
        "quantity": _isolated(document, line.quantity_text),
        "unit_price": line.unit_price_text,
        "amount": document.language.money(line.amount, document.currency),
        "parts": [[_isolated(document, value) for value in part] for part in line.parts],
    }


def _totals(document: IssuedDocument) -> list[Row]:
    language, say = document.language, document.language.say

    def row(label: str, amount: Decimal, kind: str = "row") -> Row:
        return {"kind": kind, "label": label, "amount": language.money(amount, document.currency)}

    rows = []
    if document.discount:
        rows += [row(say("subtotal"), document.subtotal), row(say("discount"), -document.discount)]
    taxes = _taxes(document)
    if taxes:
        rows.append(row(say("net"), document.subtotal - document.discount))
    rows += [row(label, amount, "quiet") for label, amount in taxes]
    rows.append(row(say("total"), document.total, "total"))
    if document.corrects:
        return rows + [row(say(word), amount) for word, amount in document.goes_to]
    if document.prepaid > 0:
        rows.append(row(say("credit_applied"), -document.prepaid))
    elif document.prepaid < 0:
        rows.append(row(say("credit_left"), -document.prepaid))
    if document.status != "void":
        rows.append(row(say("amount_due"), document.due, "due"))
    return rows


def _taxes(document: IssuedDocument) -> list[tuple[str, Decimal]]:
    """Tax by rate; nothing where nobody speaks of tax at all."""
    lines = [
        BilledLine(one.amount, one.discount, one.tax, one.tax_rate, one.quantity, one.unit_amount)
        for one in document.lines
    ]
    categories = categories_of(lines, treatment=document.tax_treatment, has_vat_id=bool(document.profile.vat_id))
    pairs = [
        (e_line(line, category, currency=document.currency), line.tax)
        for line, category in zip(lines, categories, strict=True)
    ]
    language = document.language
    return [
        (
            language.say(
                _TAX_WORDS[group.category],
                rate=language.percent(group.rate),
                net=language.money(group.base, document.currency),
            ),
            group.tax,
        )
        for group in tax_groups(pairs)
        if group.category != TaxCategory.NOT_SUBJECT
    ]


def _closing(document: IssuedDocument) -> list[str]:
    notes = {"exempt": "exempt_note", "reverse_charge": "reverse_note"}
    word = notes.get(document.tax_treatment)
    return [document.language.say(word)] if word else []


def _payment(document: IssuedDocument) -> dict[str, Any]:
    """How to pay; nothing where nothing is to be paid any more, or not yet."""
    language, say, profile = document.language, document.language.say, document.profile
    shown: dict[str, Any] = {
        "heading": say("payment"),
        "text": "",
        "rows": [],
        "link": "",
        "link_label": say("pay_online"),
    }
    shown |= {"code": "", "code_label": say("scan")}
    if document.status not in ("finalized", "uncollectible") or document.corrects or document.due <= 0:
        return shown
    if document.due_on:
        shown["text"] = say("pay_by", date=language.date(document.due_on))
    if profile.iban:
        spaced = " ".join(profile.iban[at : at + 4] for at in range(0, len(profile.iban), 4))
        rows = [
            (say("account_holder"), profile.legal_name),
            (say("bank"), profile.bank_name),
            ("IBAN", spaced),
            ("BIC", profile.bic),
            (say("reference"), document.number),
        ]
        shown["rows"] = [[label, _isolated(document, value)] for label, value in rows if value]
        shown["code"] = transfer_code(
            name=profile.legal_name,
            iban=profile.iban,
            bic=profile.bic,
            amount=document.due,
            currency=document.currency,
            text=document.number,
        )
    shown["link"] = document.payment_link
    return shown


def _footer(document: IssuedDocument) -> list[list[str]]:
    profile, say = document.profile, document.language.say
    taxes = [
        (say("tax_id"), profile.vat_id),
        (say("tax_number"), profile.tax_number),
        (say("registration"), profile.registration),
    ]
    return [
        [document.seller.name, *document.seller.address(document.language)],
        [f"{label} {_isolated(document, value)}" for label, value in taxes if value],
        [part for part in (profile.email, profile.phone, profile.website) if part],
    ]
