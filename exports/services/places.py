"""Where the files of an export lie on this machine, until their time is over."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from exports.models import Export

#: How long files can be fetched.
KEPT = timedelta(days=30)


def directory_of(export: Export) -> Path:
    return Path(settings.EXPORT_DIR) / export.organization.public_id / export.pk


def put_in_place(aside: Path, export: Export) -> None:
    """Move what was written aside to its place, over what a killed worker may have left there."""
    place = directory_of(export)
    if place.exists():
        shutil.rmtree(place)
    aside.rename(place)
    place.chmod(0o755)


def remove_files(export: Export) -> None:
    shutil.rmtree(directory_of(export), ignore_errors=True)
