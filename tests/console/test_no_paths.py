"""No page, audit entry or answer of the API names a path of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.facade import create_api_key
from accounts.models import AuditEntry
from exports.facade import named_target
from exports.services.targets import Target
from kernel.redaction import without_paths
from tests.console.conftest import Vendor
from tests.test_headers import addresses


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Errno 13] Permission denied: '/srv/taximeter/var/exports/x.csv'", "[Errno 13] Permission denied: 'x.csv'"),
        ("/srv/models/tiny.gguf cannot be read", "tiny.gguf cannot be read"),
        ("cannot create /srv/exports/: disk full", "cannot create …: disk full"),
        ("https://example.com/a/b answered 404", "https://example.com/a/b answered 404"),
        ("s3://bucket/a/b and 1/2 of it", "s3://bucket/a/b and 1/2 of it"),
        ("3/4/5 and/or nothing", "3/4/5 and/or nothing"),
    ],
)
def test_paths_are_shortened_to_names(text: str, shown: str) -> None:
    assert without_paths(text) == shown


def test_a_directory_for_exports_is_not_named(settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_TARGET = str(tmp_path / "books")
    assert str(tmp_path) not in named_target()
    assert Target(settings.EXPORT_TARGET).named("northwind/2026-10") == "northwind/2026-10"


def test_no_page_and_no_answer_names_a_path_of_the_server(vendor: Vendor, settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_TARGET = str(tmp_path / "books")
    settings.EMAIL_BACKEND = "notifications.sending.eml_files.EmailBackend"
    _, secret = create_api_key(organization=vendor.organization, scopes=["admin"])
    api = Client(headers={"authorization": f"Bearer {secret}"})
    places = {
        str(django_settings.BASE_DIR), settings.EXPORT_TARGET, django_settings.EXPORT_DIR, django_settings.ARCHIVE_DIR,
        django_settings.MODEL_DIR, django_settings.EMAIL_FILE_PATH, django_settings.ENGINE_SOCKET,
        str(Path(django_settings.EXPORT_DIR).parent), "site-packages", "Traceback",
    }  # fmt: skip
    found = []
    for path in sorted(addresses()):
        if path.startswith(("/admin/", "/live", "/api/v1/usage/stream")):
            continue
        for client in (vendor.client, api):
            answer = client.get(path)
            body = b"" if answer.streaming else answer.content
            found += [(path, place) for place in places if place.encode() in body]
    assert found == []
    assert not [one for one in AuditEntry.objects.all() for place in places if place in str(one.detail)]
