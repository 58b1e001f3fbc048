from __future__ import annotations

from pathlib import Path

from exports.errors import ExportExpired, ExportFailed, ExportNotReady
from exports.models import Export, ExportStatus
from exports.services.places import directory_of
from kernel.errors import NotFoundError, UnavailableError


def file_to_fetch(export: Export, name: str | None = None) -> Path:
    """The file to give out: the one called `name`, else the export's only one, or the archive of all.

    Raises `ExportNotReady`, `ExportFailed`, `ExportExpired`, and `NotFoundError` with code `export_file_not_found`.
    """
    if export.status == ExportStatus.QUEUED:
        raise ExportNotReady("This export is not finished yet")
    if export.status == ExportStatus.FAILED:
        raise ExportFailed(f"This export failed: {export.failure_detail}")
    if export.status == ExportStatus.EXPIRED:
        raise ExportExpired("The files of this export were removed; export the month again")
    files, archive = export.manifest["files"], export.manifest["archive"]
    known = {one["name"] for one in (*files, *([archive] if archive else []))}
    wanted = name or (archive or files[0])["name"]
    if wanted not in known:
        raise NotFoundError(f"This export has no file {wanted!r}", code="export_file_not_found")
    path = directory_of(export) / wanted
    if not path.is_file():
        raise UnavailableError("The file is not on this machine", code="export_file_missing")
    return path
