"""EN 16931: the rules of its arithmetic over any lines, and the standard's own validators over what comes out."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from facturx import xml_check_xsd
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from saxonche import PySaxonProcessor

from billing.documents.e_invoice import (
    CustomerIncomplete,
    EInvoiceImpossible,
    SellerProfileIncomplete,
    business_terms,
    vat_id_of,
)
from billing.documents.factur_x import xml_of
from billing.documents.issued import IssuedDocument, IssuedLine
from billing.documents.languages import language_of
from billing.documents.parties import Party, country_code, seller_of
from billing.models import SellerProfile
from kernel.money import round_to_currency
from tests.examples import examples

_NAMES = {
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "svrl": "http://purl.oclc.org/dsdl/svrl",
}
_OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
_VAT = {"vat_id": "DE123456789"}


@pytest.fixture(scope="module")
def schematron() -> Iterator[Any]:
    with compiled_schematron() as compiled:
        yield compiled


@contextmanager
def compiled_schematron() -> Iterator[Any]:
    """The rules as the publishers of Factur-X ship them (EN 16931 and its code lists), by Saxon."""
    folder = importlib.resources.files("facturx") / "xsd_and_schematron" / "facturx-en16931"
    with PySaxonProcessor(license=False) as saxon:
        yield saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(folder / "FACTUR-X_EN16931.xslt"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("xml")


def broken_rules(schematron: Any, folder: Path, xml: bytes) -> list[str]:
    path = folder / "invoice.xml"
    path.write_bytes(xml)
    report = etree.fromstring(schematron.transform_to_string(source_file=str(path)).encode())
    found = report.xpath("//svrl:failed-assert | //svrl:successful-report", namespaces=_NAMES)
    return ["".join(one.itertext()).strip() for one in found]


def profile(**changes: str) -> SellerProfile:
    fields = {"legal_name": "Nordlicht GmbH", "line1": "Torstraße 1", "city": "Berlin", "country": "DE"}
    return SellerProfile(**(fields | {"registration": "HRB 1"} | changes))


def document(*lines: IssuedLine, **changes: Any) -> IssuedDocument:
    """An invoice of these lines between a German seller and an Austrian buyer."""
    own = changes.pop("profile", profile(**_VAT))
    fields: dict[str, Any] = {
        "number": "INV-000001",
        "status": "finalized",
        "issued_on": date(2026, 11, 1),
        "created_at": datetime(2026, 11, 1, tzinfo=UTC),
        "period": _OCTOBER,
        "currency": "EUR",
        "tax_treatment": "standard",
        "language": language_of("en"),
        "profile": own,
        "seller": seller_of(own),
        "buyer": Party("Acme", line1="Ring 1", city="Wien", country="AT", vat_id="ATU12345678"),
        "customer_key": "acme",
        "due_on": date(2026, 12, 1),
        "lines": list(lines),
    }
    return IssuedDocument(**(fields | changes))


def line(amount: str, rate: str = "0", *, discount: str = "0", position: int = 0, **fields: Any) -> IssuedLine:
    net = Decimal(amount) - Decimal(discount)
    tax = round_to_currency(net * Decimal(rate), "EUR")
    return IssuedLine(
        position, "A line", _OCTOBER, Decimal(amount), tax, Decimal(rate), discount=Decimal(discount), **fields
    )


_RATES = st.sampled_from([Decimal(0), Decimal("0.07"), Decimal("0.19"), Decimal("0.055")])


@st.composite
def any_line(draw: st.DrawFn, position: int, currency: str) -> IssuedLine:
    quantity = draw(st.decimals(0, 100_000, places=4))
    unit_amount = draw(st.none() | st.decimals(0, 50, places=6))
    amount = draw(st.decimals(-1000, 100_000, places=2)) if unit_amount is None else quantity * unit_amount
    amount = round_to_currency(amount, currency)
    share = draw(st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("0.5"), Decimal(1)]))
    discount, rate = round_to_currency(amount * share, currency), draw(_RATES)
    return IssuedLine(
        position,
        draw(st.text(max_size=20)),
        _OCTOBER,
        amount,
        round_to_currency((amount - discount) * rate, currency),
        rate,
        discount=discount,
        quantity=quantity,
        unit_amount=unit_amount,
        unit=draw(st.sampled_from(["", "turn", "s", "hour"])),
        quantity_text="some",
    )


@st.composite
def any_document(draw: st.DrawFn) -> IssuedDocument:
    currency = draw(st.sampled_from(["EUR", "USD", "JPY"]))
    lines = [draw(any_line(position, currency)) for position in range(draw(st.integers(1, 8)))]
    total = sum((one.amount - one.discount + one.tax for one in lines), Decimal(0))
    return document(
        *lines,
        currency=currency,
        tax_treatment=draw(st.sampled_from(["standard", "exempt", "reverse_charge"])),
        profile=profile(**draw(st.sampled_from([_VAT, {"tax_number": "12/345/67890"}]))),
        prepaid=draw(st.sampled_from([Decimal(0), min(total, Decimal(5)), total])),
        corrects=draw(st.none() | st.just(("INV-000000", date(2026, 10, 1)))),
    )


def amount_at(tree: Any, path: str) -> Decimal:
    return Decimal(tree.findtext(f".//ram:{path}", "0", namespaces=_NAMES))


@settings(max_examples=examples(10, thorough=200))
@given(any_document())
def test_the_arithmetic_of_the_standard_holds_over_any_lines(
    schematron: Any, folder: Path, one: IssuedDocument
) -> None:
    try:
        xml = xml_of(business_terms(one))
    except EInvoiceImpossible:  # whole yen, rounded on a few lines, are further off than the rules allow
        assert one.currency == "JPY"
        return
    assert broken_rules(schematron, folder, xml) == []
    tree = etree.fromstring(xml)
    end = "SpecifiedTradeSettlementHeaderMonetarySummation/ram:"
    nets = [
        Decimal(e.text) for e in tree.iterfind(".//ram:IncludedSupplyChainTradeLineItem//ram:LineTotalAmount", _NAMES)
    ]
    groups = tree.findall(".//ram:ApplicableHeaderTradeSettlement/ram:ApplicableTradeTax", _NAMES)
    bases = [amount_at(group, "BasisAmount") for group in groups]
    taxes = [amount_at(group, "CalculatedAmount") for group in groups]
    line_total, basis = amount_at(tree, end + "LineTotalAmount"), amount_at(tree, end + "TaxBasisTotalAmount")
    tax, grand = amount_at(tree, end + "TaxTotalAmount"), amount_at(tree, end + "GrandTotalAmount")
    prepaid, due = amount_at(tree, end + "TotalPrepaidAmount"), amount_at(tree, end + "DuePayableAmount")
    assert line_total == sum(nets)  # BR-CO-10
    assert basis == line_total  # BR-CO-13: there are no allowances and charges of the document (BR-CO-11, -12)
    assert tax == sum(taxes)  # BR-CO-14
    assert grand == basis + tax  # BR-CO-15
    assert due == grand - prepaid  # BR-CO-16
    assert sum(bases) == basis  # BR-S-8, BR-Z-8, BR-E-8, BR-AE-8, BR-O-8, over all
    for group, base, charged in zip(groups, bases, taxes, strict=True):  # BR-CO-17, BR-S-9
        rate = amount_at(group, "RateApplicablePercent")
        assert abs(charged - base * rate / 100) < Decimal("1.01")
    assert (line_total, grand, due) == (one.subtotal - one.discount, one.total, one.due)
    for item in tree.iterfind(".//ram:IncludedSupplyChainTradeLineItem", _NAMES):
        _check_line(item, one.currency)


def _check_line(item: Any, currency: str) -> None:
    """BT-131 is BT-129 x BT-146, less BT-136, plus BT-141; no price is negative (BR-27)."""
    quantity, price = amount_at(item, "BilledQuantity"), amount_at(item, "ChargeAmount")
    allowances = sum(
        Decimal(one.findtext("ram:ActualAmount", namespaces=_NAMES))
        * (1 if one.findtext("ram:ChargeIndicator/*", namespaces=_NAMES) == "true" else -1)
        for one in item.iterfind(".//ram:SpecifiedTradeAllowanceCharge", _NAMES)
    )
    assert price >= 0
    assert round_to_currency(quantity * price, currency) + allowances == amount_at(item, "LineTotalAmount")


def test_each_tax_treatment_has_its_category(schematron: Any, folder: Path) -> None:
    cases = [
        ("standard", "0.19", _VAT, "S", ""),
        ("standard", "0", _VAT, "Z", ""),
        ("exempt", "0", _VAT, "E", "Exempt from VAT."),
        ("reverse_charge", "0", _VAT, "AE", "Reverse charge: the recipient is liable for the VAT."),
        ("standard", "0", {}, "O", "Not subject to VAT."),
    ]
    for treatment, rate, ids, category, reason in cases:
        xml = xml_of(business_terms(document(line("100", rate), tax_treatment=treatment, profile=profile(**ids))))
        tree = etree.fromstring(xml)
        found = tree.find(".//ram:ApplicableHeaderTradeSettlement/ram:ApplicableTradeTax", _NAMES)
        assert found.findtext("ram:CategoryCode", namespaces=_NAMES) == category
        assert found.findtext("ram:ExemptionReason", "", namespaces=_NAMES) == reason
        assert broken_rules(schematron, folder, xml) == []
        assert xml_check_xsd(xml, flavor="factur-x", level="en16931")


def test_a_price_per_unit_is_said_and_one_over_tiers_is_one_of_the_whole() -> None:
    counted = line("61.45", quantity=Decimal(1229), unit_amount=Decimal("0.05"), unit="s")
    tiers = line("16.15", quantity=Decimal(1229), unit="s", quantity_text="1,229 s", notes=["1,000 s included"])
    back = line("-8.00", quantity=Decimal(3))
    items = business_terms(document(counted, tiers, back))["BG-25"]
    assert [(one["BT-129"], one["BT-130"], one["BT-146"], one["BT-131"]) for one in items] == [
        ("1229", "SEC", "0.05", "61.45"),
        ("1", "C62", "16.15", "16.15"),
        ("-1", "C62", "8", "-8.00"),
    ]
    assert items[1]["BT-154"] == "1,229 s\n1,000 s included"


def test_a_discount_is_an_allowance_and_one_taken_back_a_charge() -> None:
    items = business_terms(document(line("100", discount="10"), line("-20", discount="-2")))["BG-25"]
    assert items[0]["BG-27"] == [{"amount": "10.00", "reason": "Discount", "reason_code": "95"}]
    assert items[1]["BG-28"] == [{"amount": "2.00", "reason": "Discount"}]
    assert [one["BT-131"] for one in items] == ["90.00", "-18.00"]


def test_tax_is_the_sum_of_the_lines_as_they_were_rounded() -> None:
    """Three times 0.33 at 19 % are three times 0.06 here, where the standard would round 0.1881 once."""
    terms = business_terms(document(*(line("0.33", "0.19", position=n) for n in range(3))))
    assert terms["BG-23"][0] | {"BT-116": "0.99", "BT-117": "0.18", "BT-119": "19"} == terms["BG-23"][0]


def test_more_rounding_than_the_standard_bears_is_no_e_invoice() -> None:
    lines = [line("0.03", "0.19", position=n) for n in range(400)]  # 0.0057 each is 0.01: 4.00, not 2.28
    with pytest.raises(EInvoiceImpossible, match="BR-CO-17"):
        business_terms(document(*lines))


@pytest.mark.parametrize(
    ("changes", "error", "missing"),
    [
        ({"profile": profile(country="", city="")}, SellerProfileIncomplete, ["/city", "/country", "/vat_id"]),
        ({"buyer": Party("Acme")}, CustomerIncomplete, ["/address/country"]),
        (
            {"buyer": Party("Acme", country="US", vat_id="12-3456789"), "tax_treatment": "reverse_charge"},
            CustomerIncomplete,
            ["/tax_id"],
        ),
    ],
)
def test_what_is_missing_is_named(changes: Any, error: Any, missing: list[str]) -> None:
    with pytest.raises(error) as raised:
        business_terms(document(line("1", "0" if "tax_treatment" in changes else "0.19"), **changes))
    assert [one.pointer for one in raised.value.errors] == missing


def test_three_decimals_are_more_than_the_standard_has() -> None:
    with pytest.raises(EInvoiceImpossible, match="two decimals"):
        business_terms(document(line("1"), currency="KWD"))


def test_a_currency_that_nobody_knows_is_no_e_invoice() -> None:
    with pytest.raises(EInvoiceImpossible):
        xml_of(business_terms(document(line("1"), currency="ABC")))


@given(st.text())
def test_any_text_makes_well_formed_xml(text: str) -> None:
    xml = xml_of(business_terms(document(line("1"), buyer=Party(text, country="AT", vat_id="ATU12345678"))))
    kept = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
    name = etree.fromstring(xml).findtext(".//ram:BuyerTradeParty/ram:Name", namespaces=_NAMES)
    assert (name or "").split() == (kept.split() or ["acme"])


def test_countries_are_found_by_code_and_by_name() -> None:
    found = [
        country_code(text) for text in ("de", "Germany", "Deutschland", "Japón", "日本", "ألمانيا", "Atlantis", "")
    ]
    assert found == ["DE", "DE", "DE", "JP", "JP", "DE", "", ""]
    assert [vat_id_of(text) for text in ("ATU 123.456-78", "12-3456789", "")] == ["ATU12345678", "", ""]
