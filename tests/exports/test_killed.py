"""A worker killed in the middle of an export: nothing half is to be seen, and the next one finishes it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from exports.models import Export, ExportProgress
from exports.services.starting import start_export
from exports.services.working import MOST_ATTEMPTS, exports_to_work, work_export
from exports.totals import Totals
from tests.api import Api
from tests.exports.vendor import NOW, OCTOBER, closed_october

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def export(api: Api, settings: Any, tmp_path: Path) -> Export:
    settings.EXPORT_DIR, settings.EXPORT_TARGET = str(tmp_path / "exports"), ""
    organization = closed_october(api)
    return start_export(organization=organization, kinds=["invoices", "lines"], month=OCTOBER, format="csv", now=NOW)


@contextmanager
def worker_in_the_middle(export: Export, reached: Path) -> Iterator[int]:
    """A process that has written the invoices of `export`, and no lines yet."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            _hang_between_tables(reached)
            work_export(export_id=export.pk, now=NOW)
        finally:
            os._exit(1)
    try:
        deadline = time.monotonic() + 60
        while not reached.exists():
            assert time.monotonic() < deadline, "the worker never came to its middle"
            time.sleep(0.02)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _hang_between_tables(reached: Path) -> None:
    def tie(*_: Any) -> None:
        reached.touch()
        time.sleep(600)

    Totals.tie = tie


def files_of(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_killed_worker_leaves_nothing_half_and_the_next_one_finishes(export: Export, tmp_path: Path) -> None:
    place = tmp_path / "exports"
    with worker_in_the_middle(export, tmp_path / "reached"):
        assert Export.objects.get(pk=export.pk).state == "running"
        assert not work_export(export_id=export.pk, now=NOW), "two workers wrote the same export"
    assert not [name for name in files_of(place) if export.pk in name.split("/")[1:2]]
    assert exports_to_work() == [export.pk]
    assert work_export(export_id=export.pk, now=NOW)
    found = Export.objects.get(pk=export.pk)
    assert (found.state, found.progress.attempts) == ("succeeded", 2)
    names = [one["name"] for one in (*found.manifest["files"], found.manifest["archive"])]
    # What the killed one had begun is gone.
    assert files_of(place) == sorted(f"{export.organization.public_id}/{export.pk}/{name}" for name in names)


def test_an_export_over_which_workers_die_again_and_again_is_given_up(export: Export) -> None:
    ExportProgress.objects.filter(export=export).update(attempts=MOST_ATTEMPTS)
    assert work_export(export_id=export.pk, now=NOW)
    found = Export.objects.get(pk=export.pk)
    assert (found.status, found.failure_code) == ("failed", "export_abandoned")


def test_files_that_were_in_place_before_their_transaction_ended_are_written_anew(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("exports.services.working.tell", dies)
        with pytest.raises(Killed):
            work_export(export_id=export.pk, now=NOW)
    assert Export.objects.get(pk=export.pk).state == "running"
    before = files_of(tmp_path / "exports")
    assert work_export(export_id=export.pk, now=NOW)
    assert files_of(tmp_path / "exports") == before
    assert json.dumps(Export.objects.get(pk=export.pk).manifest["files"]) != "[]"
