"""Text stays text in all that leaves: mail, documents, e-invoices, exports, downloads, webhooks and answers."""

from __future__ import annotations

import csv
import io
import json
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from lxml import etree
from openpyxl import load_workbook
from pypdf import PdfReader

from accounts.facade import create_api_key
from billing.documents.making import credit_note_pdf, invoice_pdf, invoice_xml
from billing.facade import credit_notes_of
from exports.formats import FORMATS
from exports.kinds import KINDS
from exports.services.writing import write_tables
from exports.tables import Selection
from kernel.period import Month
from kernel.spreadsheets import is_formula_like
from kernel.text import refused_character
from notifications.composing import compose, message_of
from notifications.letters.kinds import SECRET
from notifications.letters.samples import SAMPLES
from notifications.models import Mail, MailSettings, WebhookEvent
from tests.browser.site import Site
from tests.hostile.furnishing import hostile_site
from tests.hostile.payloads import MARK, WORKED_OUT, faults_of, hostile
from tests.hostile.poison import poisoned

pytestmark = pytest.mark.django_db(transaction=True)


def test_text_stays_text_in_all_that_leaves(site: Site, tmp_path: Path) -> None:
    _look_at_mail(site)
    _look_at_documents(site)
    _look_at_exports(site, tmp_path)
    _look_at_downloads(site)
    _look_at_webhooks()
    _look_at_answers(site)


@pytest.fixture
def site() -> Site:
    return hostile_site()


def _look_at_mail(site: Site) -> None:
    """All that is queued, and each kind with a sample's texts poisoned: one line in headers, no markup in HTML."""
    queued = list(Mail.objects.exclude(kind__in=SECRET).select_related("organization"))  # links are random here
    assert queued
    chosen = MailSettings(organization=site.vendor.organization, sender_name=hostile(100))
    for one in queued:
        message = message_from_bytes(message_of(one, chosen).message().as_bytes(), policy=policy.default)
        assert {name for name, value in message.items() if MARK in str(value)} <= {"Subject", "From"}
        assert not [value for value in message.values() if refused_character(str(value))]
        assert [str(one) for one in message["From"].addresses[0].addr_spec.splitlines()] == ["taximeter@localhost"]
        _text_and_html(message.get_body(("plain",)).get_content(), message.get_body(("html",)).get_content())
    for kind, sample in SAMPLES.items():
        written = compose(organization=site.vendor.organization, kind=kind, context=poisoned(sample), chosen=None)
        assert type(written.text) is str, "a text is not marked as safe HTML"
        assert faults_of(written.html) == []
        assert WORKED_OUT not in written.text + written.html


def _text_and_html(text: str, html: str) -> None:
    assert faults_of(html) == []
    assert MARK in html
    assert MARK in text
    assert WORKED_OUT not in text


def _look_at_documents(site: Site) -> None:
    """Nothing is worked out in a PDF, and an e-invoice is what the standard's schema allows."""
    invoice = site.vendor.invoice_of("birch")
    note = credit_notes_of(site.vendor.organization.pk).latest("pk")
    for pdf in (invoice_pdf(invoice), invoice_pdf(invoice, plain=True), credit_note_pdf(note)):
        written = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
        assert MARK in written
        assert WORKED_OUT not in written
        links = [one.get_object() for page in PdfReader(io.BytesIO(pdf)).pages for one in page.get("/Annots", [])]
        targets = [str(one.get("/A", {}).get("/URI", "https://")) for one in links]
        assert not [target for target in targets if not target.startswith(("https://", "http://"))]
    tree = etree.fromstring(invoice_xml(invoice))
    named = [str(one.tag) + "".join(map(str, one.attrib)) for one in tree.iter()]
    assert not [name for name in named if MARK in name]
    assert MARK in "".join(tree.itertext())


def _look_at_exports(site: Site, directory: Path) -> None:
    for kind in KINDS:
        month = Month(2026, 11) if kind == "ledger" else Month(2026, 10)
        for format in FORMATS:
            place = directory / f"{kind}-{format}"
            place.mkdir()
            selection = Selection(site.vendor.organization, month)
            tables = write_tables(selection=selection, kinds=[kind], format=format, directory=place, name=kind)
            found = [text for path in place.iterdir() for text in _texts(path)]
            assert not [text for text in found if refused_character(text, lines=format != "csv")], (kind, format)
            if format == "csv":
                assert not [text for text in found if is_formula_like(text) and not _is_number(text)], kind
                assert sum(len(_rows(path)) for path in place.iterdir()) == sum(1 + one.rows for one in tables)
                assert not [path for path in place.iterdir() if b"\r" in path.read_bytes()]


def _texts(path: Path) -> list[str]:
    """Every text of a file, as people's programs read it."""
    if path.suffix == ".csv":
        return [cell for row in _rows(path) for cell in row]
    if path.suffix == ".parquet":
        rows: list[Any] = pyarrow.parquet.read_table(path).to_pylist()
    elif path.suffix == ".json":
        rows = json.loads(path.read_bytes())
    else:
        book = load_workbook(path)
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert not [cell for cell in cells if cell.data_type == "f"]
        return [cell.value for cell in cells if isinstance(cell.value, str)]
    return [value for row in rows for value in row.values() if isinstance(value, str)]


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


def _look_at_downloads(site: Site) -> None:
    """The CSV files of the console."""
    span = "?from=2026-10-01&to=2026-12-31"
    paths = ["/audit.csv", f"/models.csv{span}", f"/plans/compare.csv{site.queries['compare_plans']}"]
    paths += [f"/charts/{name}.csv{span}" for name in ("money_by_customer", "cost_by_agent", "cost_by_model",
              "cost_by_hardware", "usage_by_customer", "usage_by_agent", "money_by_plan")]  # fmt: skip
    found = 0
    for path in paths:
        answer = site.vendor.client.get(path)
        assert answer.status_code == 200, path
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert b"\r" not in content.replace(b"\r\n", b""), path
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
        assert len({len(row) for row in rows}) == 1, path
        cells = [cell for row in rows for cell in row if not _is_number(cell)]
        assert not [cell for cell in cells if is_formula_like(cell) or refused_character(cell)], path
        found += MARK in content.decode()
        assert refused_character(answer.headers["Content-Disposition"]) is None
    assert found > 5


def _look_at_webhooks() -> None:
    bodies = list(WebhookEvent.objects.values_list("body", flat=True))
    assert bodies
    for body in bodies:
        assert json.loads(body)
        assert refused_character(body) is None


def _look_at_answers(site: Site) -> None:
    """Answers of the API are JSON, and browsers take them for nothing else."""
    _, secret = create_api_key(organization=site.vendor.organization, scopes=["admin"])
    client = Client(headers={"authorization": f"Bearer {secret}"})
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found = 0
    for path, methods in schema["paths"].items():
        if "get" not in methods or "{" in path:
            continue
        answer = client.get(path)
        assert answer.status_code < 500 or answer.status_code == 503, path  # no engine runs here
        if answer.streaming or not answer.headers["Content-Type"].startswith("application/json"):
            assert not answer.headers["Content-Type"].startswith("text/html"), path
            continue
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert isinstance(answer.json(), dict | list), path
        found += MARK in answer.content.decode()
    assert found > 10
