"""Where scheduled exports go: whole, with their manifest last, again until they have arrived."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exports.models import Export
from exports.services.delivery import deliver_export, exports_to_deliver
from exports.services.schedules import create_schedule, start_due_exports
from exports.services.targets import Target, configured_target
from exports.services.working import work_export
from tests.api import Api
from tests.exports.s3_fake import Bucket, s3_fake
from tests.exports.vendor import NOW, OCTOBER, closed_october

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _places(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EXPORT_DIR = str(tmp_path / "exports")
    settings.EXPORT_TARGET = ""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with s3_fake() as made:
        yield made


@pytest.fixture
def export(api: Api) -> Export:
    """The October of a schedule, written and waiting for its delivery."""
    organization = closed_october(api)
    create_schedule(
        organization=organization, kinds=["invoices", "lines"], format="csv", now=NOW, first_month=OCTOBER,
        mail_to=["finance@example.com"],
    )  # fmt: skip
    [started] = start_due_exports(now=NOW)
    assert start_due_exports(now=NOW) == []
    work_export(export_id=started.pk, now=NOW)
    return Export.objects.get(pk=started.pk)


def keys(export: Export, *names: str) -> list[str]:
    return [f"finance/vendor/2026-10/{export.schedule_id}/{name}" for name in names]


def test_an_object_store_gets_the_files_and_then_the_manifest_of_their_checksums(
    export: Export, bucket: Bucket, settings: Any
) -> None:
    settings.EXPORT_TARGET = bucket.url
    assert exports_to_deliver(NOW) == [export.pk]
    assert deliver_export(export_id=export.pk, target=configured_target(), now=NOW)
    lines, invoices, manifest = keys(
        export, "invoice-lines-vendor-2026-10.csv", "invoices-vendor-2026-10.csv", "manifest.json"
    )
    assert sorted(bucket.objects) == [lines, invoices, manifest]
    described = json.loads(bucket.objects[manifest])
    assert {one["name"]: one["sha256"] for one in described["files"]} == {
        key.rpartition("/")[2]: hashlib.sha256(bucket.objects[key]).hexdigest() for key in (lines, invoices)
    }
    written = [asked.partition(" ")[2] for asked in bucket.asked if asked.startswith(("PUT", "POST"))]
    assert written[-1] == manifest
    assert all(bucket.signed)
    export.refresh_from_db()
    assert (export.delivered_at, export.deliver_at, export.delivery_attempts) == (NOW, None, 1)
    assert exports_to_deliver(NOW + timedelta(days=9)) == []
    assert not deliver_export(export_id=export.pk, target=configured_target(), now=NOW)


def test_what_a_store_refuses_is_tried_again_and_has_no_manifest_until_then(export: Export, bucket: Bucket) -> None:
    [refused] = keys(export, "invoices-vendor-2026-10.csv")
    bucket.forbidden.add(refused)
    target = Target(bucket.url)
    assert not deliver_export(export_id=export.pk, target=target, now=NOW)
    export.refresh_from_db()
    assert export.delivered_at is None
    assert "ACCESS_DENIED" in export.delivery_problem.upper().replace(" ", "_")
    assert export.deliver_at == NOW + timedelta(minutes=1)
    assert not [key for key in bucket.objects if key.endswith("manifest.json")]
    bucket.forbidden.clear()
    later = NOW + timedelta(minutes=1)
    assert deliver_export(export_id=export.pk, target=target, now=later)
    assert sorted(bucket.objects) == keys(
        export, "invoice-lines-vendor-2026-10.csv", "invoices-vendor-2026-10.csv", "manifest.json"
    )
    export.refresh_from_db()
    assert (export.delivered_at, export.delivery_problem, export.delivery_attempts) == (later, "", 2)


def test_a_store_that_is_not_there_is_waited_for_longer_and_longer(export: Export) -> None:
    class Away:
        def put(self, *_: Any) -> None:
            raise OSError("no connection")

    now, waits = NOW, []
    for _ in range(12):
        assert not deliver_export(export_id=export.pk, target=Away(), now=now)
        export.refresh_from_db()
        assert export.deliver_at is not None
        waits.append((export.deliver_at - now) / timedelta(minutes=1))
        now = export.deliver_at
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]


def test_a_large_file_is_uploaded_in_parts(bucket: Bucket, tmp_path: Path) -> None:
    content = bytes(range(256)) * (24 << 12)  # 24 MiB: more than two parts
    (tmp_path / "large").write_bytes(content)
    Target(bucket.url).put(tmp_path / "large", "folder", "large")
    assert bucket.objects == {"finance/folder/large": content}
    assert len([asked for asked in bucket.asked if asked.startswith("PUT")]) > 1
    assert not bucket.uploads


def test_a_file_that_cannot_be_read_to_its_end_leaves_no_object(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Torn:
        def open(self, _: str) -> Torn:
            return self

        def __enter__(self) -> Torn:
            self.left = [b"half a line"]
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, _: int) -> bytes:
            if not self.left:
                raise OSError("the disk is gone")
            return self.left.pop()

    with pytest.raises(OSError, match="the disk is gone"):
        Target(bucket.url).put(Torn(), "folder", "torn")
    assert "finance/folder/torn" not in bucket.objects


def test_a_directory_gets_whole_files_and_nothing_else(export: Export, tmp_path: Path) -> None:
    target = Target(str(tmp_path / "finance"))
    assert deliver_export(export_id=export.pk, target=target, now=NOW)
    folder = f"vendor/2026-10/{export.schedule_id}"
    assert target.names(folder) == ["invoice-lines-vendor-2026-10.csv", "invoices-vendor-2026-10.csv", "manifest.json"]
    for one in export.manifest["files"]:
        content = (tmp_path / "finance" / folder / one["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"]


def test_a_delivery_whose_worker_was_killed_is_taken_up_when_its_lease_is_over(export: Export, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Dying:
        def put(self, *_: Any) -> None:
            raise Killed

    with pytest.raises(Killed):
        deliver_export(export_id=export.pk, target=Dying(), now=NOW)
    assert exports_to_deliver(NOW + timedelta(minutes=29)) == []
    assert exports_to_deliver(NOW + timedelta(minutes=30)) == [export.pk]
    later = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert deliver_export(export_id=export.pk, target=Target(str(tmp_path / "finance")), now=later)
