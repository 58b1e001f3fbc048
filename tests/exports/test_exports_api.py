"""Exports over the API: asked for, made in the background, fetched by who may."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client

from accounts.facade import create_api_key
from billing.facade import invoices_of, void_invoice
from exports.models import Export
from exports.services.working import work_export
from tests.api import Api
from tests.exports.vendor import NOW, closed_october

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _places(settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_DIR = str(tmp_path / "exports")
    settings.EXPORT_TARGET = ""


@pytest.fixture
def vendor(api: Api) -> Api:
    closed_october(api)
    return api


def made(api: Api, **body: Any) -> dict[str, Any]:
    """An export, worked on as a worker would."""
    answer = api.post("exports", {"kind": "invoices", "month": "2026-10", "format": "csv"} | body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["status"] == "queued"
    assert work_export(export_id=answer.json()["id"], now=NOW)
    return api.get(f"exports/{answer.json()['id']}").json()


def content(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def test_an_export_says_what_is_in_it_and_can_be_fetched(vendor: Api) -> None:
    export = made(vendor)
    assert (export["status"], export["kind"], export["rows"], export["failure"]) == ("succeeded", "invoices", 4, None)
    [file] = export["files"]
    assert file["name"] == "invoices-vendor-2026-10.csv"
    answer = vendor.client.get(export["download"])
    assert answer["Content-Disposition"] == 'attachment; filename="invoices-vendor-2026-10.csv"'
    body = content(answer)
    assert len(body) == file["bytes"]
    assert [row["total"] for row in csv.DictReader(io.StringIO(body.decode()))] == ["58.31", "0.13", "1000", "12.345"]
    [table] = export["tables"]
    assert table["totals"]["USD"]["total"] == table["totals"]["USD"]["ledger"] == "58.44"
    assert [one["id"] for one in vendor.get("exports").json()["data"]] == [export["id"]]


def test_several_files_come_as_one_archive_or_each_by_its_name(vendor: Api) -> None:
    export = made(vendor, kind="costs", format="json")
    assert [file["name"] for file in export["files"]] == ["costs-vendor-2026-10.json", "margins-vendor-2026-10.json"]
    answer = vendor.client.get(export["download"])
    with ZipFile(io.BytesIO(content(answer))) as archive:
        assert archive.namelist() == [file["name"] for file in export["files"]]
        margins = json.loads(archive.read("margins-vendor-2026-10.json"))
    assert json.loads(content(vendor.client.get(export["files"][1]["url"]))) == margins
    assert (margins[0]["customer"], margins[0]["charged"], margins[0]["margin"]) == ("dinar", "12.345", "12.345")
    other = vendor.client.get(f"/api/v1/exports/{export['id']}/download?file=../../etc/passwd")
    assert (other.status_code, other.json()["code"]) == (404, "export_file_not_found")


def test_filters_select_and_those_that_cannot_are_refused(vendor: Api) -> None:
    void_invoice(invoice=invoices_of(vendor.organization.pk).get(customer__key="usd"), now=NOW)
    assert made(vendor, customer="yen")["rows"] == 1
    void = made(vendor, status="void")
    assert (void["rows"], void["tables"][0]["totals"]) == (1, {})
    assert void["filters"] == {"customer": None, "status": "void"}
    refused = vendor.post("exports", {"kind": "usage", "month": "2026-10", "format": "csv", "status": "paid"})
    assert (refused.status_code, refused.json()["code"]) == (422, "filter_not_applicable")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": "secrets"}, "kind_invalid"),
        ({"format": "pdf"}, "format_invalid"),
        ({"month": "2026-13"}, "month_invalid"),
        ({"customer": "nobody"}, "customer_not_found"),
        ({"status": "lost"}, "status_invalid"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_code(api: Api, changes: dict[str, str], code: str) -> None:
    answer = api.post("exports", {"kind": "invoices", "month": "2026-10", "format": "csv"} | changes)
    assert answer.json()["code"] == code
    assert not Export.objects.exists()


def test_another_organization_s_export_is_not_found(vendor: Api, another_api: Api) -> None:
    export = made(vendor)
    for path in (f"exports/{export['id']}", f"exports/{export['id']}/download"):
        answer = another_api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "export_not_found")
    assert another_api.get("exports").json()["data"] == []


def test_a_key_may_fetch_with_the_scope_read_and_not_start(vendor: Api) -> None:
    export = made(vendor)
    for scope, get, post in (("read", 200, 403), ("ingest", 403, 403), ("write", 200, 201)):
        _, secret = create_api_key(organization=vendor.organization, scopes=[scope])
        limited = Api(vendor.organization, Client(headers={"authorization": f"Bearer {secret}"}))
        assert limited.get(f"exports/{export['id']}/download").status_code == get
        body = {"kind": "invoices", "month": "2026-10", "format": "csv"}
        assert limited.post("exports", body).status_code == post


def test_an_export_that_cannot_be_written_says_why(vendor: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exports.formats.sheets.MAX_ROWS", 2)  # a million invoices would take too long
    export = made(vendor, format="xlsx")
    assert (export["status"], export["failure"]["code"]) == ("failed", "too_many_rows")
    answer = vendor.get(f"exports/{export['id']}/download")
    assert (answer.status_code, answer.json()["code"]) == (409, "export_failed")


def test_files_that_do_not_come_to_what_the_ledger_says_are_not_given_out(
    vendor: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exports.kinds.invoices import INVOICES

    [table] = INVOICES.tables
    object.__setattr__(table, "ledger", lambda _: {"USD": Decimal("58.43")})
    try:
        export = made(vendor)
    finally:
        from exports.kinds.billed import billed_in_ledger

        object.__setattr__(table, "ledger", billed_in_ledger)
    assert export["failure"]["code"] == "totals_differ_from_ledger"


def test_an_export_not_finished_and_one_removed_say_so(vendor: Api) -> None:
    from exports.services.removing import remove_expired

    queued = vendor.post("exports", {"kind": "invoices", "month": "2026-10", "format": "csv"}).json()
    assert vendor.get(f"exports/{queued['id']}/download").json()["code"] == "export_not_ready"
    export = made(vendor)
    assert remove_expired(now=datetime(2027, 1, 1, tzinfo=UTC)) == 1
    assert vendor.get(f"exports/{export['id']}").json()["status"] == "expired"
    assert vendor.get(f"exports/{export['id']}/download").json()["code"] == "export_expired"


def test_the_same_idempotency_key_starts_one_export(vendor: Api) -> None:
    body = {"kind": "invoices", "month": "2026-10", "format": "csv"}
    first = vendor.post("exports", body, **{"idempotency-key": "october"})
    again = vendor.post("exports", body, **{"idempotency-key": "october"})
    assert first.json()["id"] == again.json()["id"]
    assert Export.objects.count() == 1
