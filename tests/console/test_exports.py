"""The pages of exports: what they show, what they start, and for whom."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts.facade import audit_entries_of
from exports.facade import create_schedule, start_export
from exports.models import Export, ExportSchedule
from exports.services.delivery import deliver_export
from exports.services.schedules import start_due_exports
from exports.services.working import work_export
from kernel.clock import system_clock
from tests.console.conftest import OCTOBER, Vendor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _places(settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_DIR = str(tmp_path / "exports")
    settings.EXPORT_TARGET = ""


def form(**changes: Any) -> dict[str, Any]:
    return {"kinds": ["invoices", "lines"], "format": "csv", "month": "2026-10"} | changes


def started(vendor: Vendor, **changes: Any) -> Export:
    answer = vendor.client.post("/exports/new", form(**changes))
    assert answer.status_code == 302, answer.content.decode()
    return Export.objects.get(pk=answer["Location"].rpartition("/")[2])


def test_without_exports_the_page_says_what_they_are(vendor: Vendor) -> None:
    shown = vendor.client.get("/exports").content.decode()
    assert "No exports yet." in shown
    assert "No schedules yet." in shown


def test_an_export_is_started_followed_and_fetched(vendor: Vendor) -> None:
    export = started(vendor)
    assert (export.kinds, export.format, export.month, export.created_by) == (
        ["invoices", "lines"], "csv", "2026-10", vendor.user.email,
    )  # fmt: skip
    shown = vendor.client.get(f"/exports/{export.pk}").content.decode()
    assert f'hx-get="/exports/{export.pk}/state"' in shown
    assert 'hx-get="/exports/list' in vendor.client.get("/exports").content.decode()
    work_export(export_id=export.pk, now=system_clock())
    shown = vendor.client.get(f"/exports/{export.pk}/state").content.decode()
    assert "hx-get" not in shown
    # 0.15 of acme and 50.87 of birch, as the ledger has it.
    assert "amount due $51.02" in shown
    assert '<td class="number nowrap">$51.02</td>' in shown
    files = Export.objects.get(pk=export.pk).manifest["files"]
    assert all(file["sha256"] in shown for file in files)
    answer = vendor.client.get(f"/exports/{export.pk}/download?file={files[1]['name']}")
    assert answer["Content-Disposition"] == f'attachment; filename="{files[1]["name"]}"'
    assert len(b"".join(answer.streaming_content)) == files[1]["bytes"]
    assert "export.start" in {one.action for one in audit_entries_of(vendor.organization.pk)}


def test_a_failed_export_says_why_in_the_list_and_on_its_page(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exports.formats.sheets.MAX_ROWS", 1)  # a million invoices would take too long
    export = started(vendor, format="xlsx")
    work_export(export_id=export.pk, now=system_clock())
    for address in ("/exports", f"/exports/{export.pk}"):
        assert "Invoices needs more: export it as csv" in vendor.client.get(address).content.decode()
    assert vendor.client.get(f"/exports/{export.pk}/download").status_code == 409
    again = vendor.client.get(f"/exports/new?month=2026-09&format={export.format}&kinds=usage").content.decode()
    assert 'value="2026-09"' in again
    assert 'value="usage" id="id_kinds_2" checked' in again


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"month": "2026-13"}, "is not a month"),
        ({"customer": "nobody"}, "customer"),
        ({"kinds": ["usage"], "status": "paid"}, "usage have no status to select by"),
        ({"mail_to": "me@example.com, you"}, "you is no e-mail address"),
        ({"kinds": []}, "required"),
    ],
)
def test_what_is_wrong_is_said_in_the_form(vendor: Vendor, changes: dict[str, Any], said: str) -> None:
    answer = vendor.client.post("/exports/new", form(**changes))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Export.objects.exists()


def test_a_schedule_is_made_paused_and_shows_what_was_not_delivered(vendor: Vendor) -> None:
    answer = vendor.client.post(
        "/exports/schedules/new", {"kinds": ["invoices"], "format": "csv", "day": "", "first_month": "2026-10"}
    )
    assert answer.status_code == 302
    schedule = ExportSchedule.objects.get()
    now = system_clock()
    [export] = start_due_exports(now=now)
    work_export(export_id=export.pk, now=now)
    assert "waiting" in vendor.client.get("/exports").content.decode()
    deliver_export(export_id=export.pk, target=_Broken(), now=now)
    shown = vendor.client.get("/exports").content.decode()
    assert "The disk is full" in shown
    assert "tried 1 time, next" in shown
    assert deliver_export(export_id=export.pk, target=None, now=now + timedelta(minutes=2))
    assert "The disk is full" not in vendor.client.get(f"/exports/{export.pk}").content.decode()
    assert "by a schedule" in vendor.client.get(f"/exports/{export.pk}").content.decode()
    vendor.client.post(f"/exports/schedules/{schedule.pk}", {"kinds": ["lines"], "format": "csv", "day": "3"})
    schedule.refresh_from_db()
    assert (schedule.kinds, schedule.day, schedule.active) == (["lines"], 3, False)
    trail = vendor.client.get(f"/audit?target={schedule.pk}").content.decode()
    assert "Export schedule: create" in trail
    assert "Export schedule: change" in trail
    assert '<a href="/exports">Every month: lines</a>' in trail
    assert "paused" in vendor.client.get("/exports").content.decode()


class _Broken:
    def put(self, *_: Any) -> None:
        raise OSError("The disk is full")


def test_the_target_is_named_without_its_keys(vendor: Vendor, settings: Any) -> None:
    settings.EXPORT_TARGET = "s3://id:secret@bucket/books?endpoint_override=localhost:9000"
    create_schedule(organization=vendor.organization, kinds=["usage"], format="csv", now=system_clock())
    shown = vendor.client.get("/exports").content.decode()
    assert "s3://bucket/books," in shown
    assert "secret" not in shown


def test_a_viewer_looks_and_fetches_and_starts_nothing(vendor: Vendor) -> None:
    export = started(vendor)
    work_export(export_id=export.pk, now=system_clock())
    viewer = vendor.member("viewer")
    assert "New export" not in viewer.get("/exports").content.decode()
    assert viewer.get(f"/exports/{export.pk}/download").status_code == 200
    assert viewer.get("/exports/new").status_code == 403
    assert viewer.post("/exports/new", form()).status_code == 403
    assert viewer.post("/exports/schedules/new", {}).status_code == 403


def test_files_that_are_on_no_disk_of_this_machine_are_said_to_be_missing(vendor: Vendor, settings: Any) -> None:
    export = started(vendor)
    work_export(export_id=export.pk, now=system_clock())
    settings.EXPORT_DIR += "-elsewhere"
    answer = vendor.client.get(f"/exports/{export.pk}/download", follow=True)
    assert "The file is not on this machine" in answer.content.decode()


def test_queries_do_not_grow_with_the_exports(vendor: Vendor, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        start_export(
            organization=vendor.organization, kinds=["invoices"], month=OCTOBER, format="csv", now=system_clock()
        )
    with django_assert_max_num_queries(9):
        vendor.client.get("/exports")
