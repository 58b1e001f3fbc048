"""Working on an export: on one snapshot of the database, held by one worker, safe to kill at any point.

The files are written aside and moved to their place before the transaction that says so is committed; a worker that
is killed in between leaves files that the next one replaces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction

from exports.files import directory_aside, remove_asides, sha256_of, synced, write_archive
from exports.models import Export, ExportStatus
from exports.services.places import KEPT, put_in_place
from exports.services.telling import tell
from exports.services.writing import expected_rows, write_tables
from exports.tables import Selection
from kernel.clock import to_rfc3339
from kernel.errors import TaximeterError
from kernel.period import Month
from rest.isolation import read_one_snapshot, retried

logger = logging.getLogger("exports")

#: How often a worker may die over an export before it is given up.
MOST_ATTEMPTS = 5

#: Rows between two notes of how far it is.
_NOTED_EVERY = 20_000


def exports_to_work() -> list[str]:
    """Ids of exports that are not finished. Each is safe to hand out as often as one likes."""
    return list(Export.objects.filter(status=ExportStatus.QUEUED).order_by("id").values_list("id", flat=True))


def work_export(*, export_id: str, now: datetime) -> bool:
    """Write the export's files, unless another worker is at it. Returns whether it is finished, well or not."""
    try:
        return retried(lambda: _work(export_id, now))
    except OperationalError:
        raise  # the database is away: the next look finds the export as it was
    except Exception as error:
        known = isinstance(error, TaximeterError)
        if not known:
            logger.exception("export %s failed", export_id)
        detail = error.detail if isinstance(error, TaximeterError) else "Something went wrong; the log says what"
        _fail(export_id, error.code if isinstance(error, TaximeterError) else "internal_error", detail, now)
        return True


def _work(export_id: str, now: datetime) -> bool:
    with transaction.atomic():
        read_one_snapshot()
        export = _claim(export_id)
        if export is None:
            return not Export.objects.filter(pk=export_id, status=ExportStatus.QUEUED).exists()
        progress = _Progress(export_id)
        try:
            if progress.begin(now) > MOST_ATTEMPTS:
                raise TaximeterError("Workers died over this export again and again", code="export_abandoned")
            manifest = _write(export, progress, now)
        finally:
            progress.close()
        export.status, export.manifest, export.finished_at = ExportStatus.SUCCEEDED, manifest, now
        export.expires_at = now + KEPT
        export.deliver_at = now if export.schedule_id else None
        export.save()
        tell(export, now)
    return True


def _claim(export_id: str) -> Export | None:
    """The export's row, held until the transaction ends; None where it is finished, or somebody else holds it."""
    free = Export.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    return free.select_related("organization").filter(pk=export_id, status=ExportStatus.QUEUED).first()


def selection_of(export: Export) -> Selection:
    return Selection(
        export.organization, Month.parse(export.month), export.customer or None, export.invoice_status or None
    )


def _write(export: Export, progress: _Progress, now: datetime) -> dict[str, Any]:
    selection = selection_of(export)
    progress.expect(expected_rows(export.kinds, selection))
    directory = Path(settings.EXPORT_DIR) / export.organization.public_id
    remove_asides(directory, export.pk)
    with directory_aside(directory, export.pk) as aside:
        totals = write_tables(
            selection=selection,
            kinds=export.kinds,
            format=export.format,
            directory=aside,
            on_progress=progress.note,
        )
        files = synced(aside)
        described = [_described(path) for path in files]
        archive = None
        if len(files) > 1:
            archive = aside / f"{'-'.join(export.kinds)}-{export.organization.key}-{export.month}.zip"
            write_archive(archive, files)
            synced(aside)
        manifest = {
            "export": export.pk,
            "organization": export.organization.public_id,
            "kinds": export.kinds,
            "format": export.format,
            "month": export.month,
            "customer": export.customer or None,
            "status": export.invoice_status or None,
            "written_at": to_rfc3339(now),
            "snapshot": _snapshot(),
            "files": described,
            "archive": _described(archive) if archive else None,
            "tables": [one.to_json() for one in totals],
        }
        put_in_place(aside, export)
    return manifest


def _described(path: Path) -> dict[str, Any]:
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def _fail(export_id: str, code: str, detail: str, now: datetime) -> None:
    with transaction.atomic():
        export = _claim(export_id)
        if export is None:
            return
        export.status, export.finished_at = ExportStatus.FAILED, now
        export.failure_code, export.failure_detail = code, detail
        export.save()
        tell(export, now)


class _Progress:
    """Notes how far an export is, on a connection of its own: the one that reads shows nothing before its end."""

    def __init__(self, export_id: str) -> None:
        self._connection = connection.copy()
        self._export_id, self._noted = export_id, 0
        self.note: Callable[[int], None] = self._note

    def begin(self, now: datetime) -> int:
        """Say that the work begins (again). Returns how many times it has begun."""
        found = self._execute("started_at = %s, rows = 0, attempts = attempts + 1", now)
        return int(found[0]) if found else 1

    def expect(self, total: int | None) -> None:
        self._execute("total = %s", total)

    def _note(self, rows: int) -> None:
        if rows - self._noted >= _NOTED_EVERY:
            self._noted = rows
            self._execute("rows = %s", rows)

    def _execute(self, assignments: str, value: Any) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE exports_exportprogress SET {assignments} WHERE export_id = %s RETURNING attempts",  # noqa: S608
                [value, self._export_id],
            )
            return cursor.fetchone()

    def close(self) -> None:
        self._connection.close()
