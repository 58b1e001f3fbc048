"""Migrations after the first release are never edited and safe without downtime; databases from before it move over."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField, AddIndex, RemoveField, RenameField
from django.db.migrations.operations.base import Operation
from django.db.models import Index, TextField
from django_migration_linter.sql_analyser import PostgresqlAnalyser, analyse_sql_statements

from launcher.paths import ROOT
from launcher.postgres import binary
from launcher.services import Services
from rest.first_release import FIRST, LAST

#: SHA-256 of every migration. A line is added with a new one, and none is ever changed.
HASHES = ROOT / "tests/data/migrations.txt"
BEFORE = ROOT / "tests/data/before_release.sql.gz"


def test_no_migration_is_edited() -> None:
    """For a new one: `sha256sum */migrations/0*.py > tests/data/migrations.txt`."""
    files = sorted(ROOT.glob("*/migrations/0*.py"))
    now = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(ROOT)}" for file in files]
    assert now == HASHES.read_text().splitlines()


def faults_of(migration: Migration) -> list[str]:
    """What of its SQL would hold up, or break, the version that runs meanwhile."""
    state = MigrationLoader(None).project_state(migration.dependencies)
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    errors, _, warnings = analyse_sql_statements(PostgresqlAnalyser, editor.collected_sql, [])
    return [one.code for one in [*errors, *warnings]]


@pytest.mark.django_db
def test_migrations_after_the_first_release_are_safe_without_downtime() -> None:
    later = [one for (app, name), one in MigrationLoader(None).disk_migrations.items() if app in LAST and name != FIRST]
    found = {f"{one.app_label}.{one.name}": faults_of(one) for one in later}
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (AddIndex("invoice", Index(fields=["created_at"], name="invoices_by_creation")), "CREATE_INDEX"),
        (RemoveField("invoice", "number"), "DROP_COLUMN"),
        (RenameField("invoice", "number", "name"), "RENAME_COLUMN"),
        (AddField("invoice", "note", TextField(default="")), "NOT_NULL"),
        (AddField("invoice", "note", TextField(null=True)), None),
    ],
    ids=["an index that locks", "a column dropped", "a column renamed", "a column that old code leaves out", "none"],
)
def test_what_would_lock_or_break_is_found(operation: Operation, fault: str | None) -> None:
    fields = {"operations": [operation], "dependencies": [("billing", FIRST)]}
    migration = type("Migration", (Migration,), fields)("0002_later", "billing")
    assert faults_of(migration) == ([fault] if fault else [])


@contextmanager
def restored(services: Services, name: str, dump: bytes) -> Iterator[str]:
    """The address of a database made from a dump."""
    services.cluster.create_database(name)
    url = services.cluster.url(name)
    restore = [binary("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null", url]
    subprocess.run(restore, input=dump, check=True)
    yield url
    services.cluster.drop_database(name)


@pytest.fixture
def before(services: Services) -> Iterator[str]:
    """A database from before the release, with an invoice."""
    with restored(services, "from_before", gzip.decompress(BEFORE.read_bytes())) as url:
        yield url


@pytest.fixture
def fresh(services: Services, _system_template: str) -> Iterator[str]:
    """A database of this version, restored from a dump like the other: PostgreSQL writes conditions otherwise then."""
    dump = [binary("pg_dump"), "--schema-only", "--no-owner", services.cluster.url(_system_template)]
    with restored(services, "fresh", subprocess.run(dump, capture_output=True, check=True).stdout) as url:
        yield url


def migrate(url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk/src")])}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def schema_of(url: str) -> set[str]:
    """Statements that make the tables, each with its lines sorted: the order of columns says nothing."""
    months = "--exclude-table=metering_usageevent_2*"  # made by what is in the log
    dump = [binary("pg_dump"), "--schema-only", "--no-owner", "--no-comments", months, url]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\", "SET "))]
    statements, whole, is_body = set(), list[str](), False
    for line in lines:
        is_body ^= line.count("$$") % 2 == 1
        whole.append(line.rstrip(","))
        if line.endswith(";") and not is_body:
            statements.add("\n".join(sorted(whole)))
            whole = []
    return statements


@pytest.mark.django_db
def test_a_database_from_before_the_release_is_taken_over(before: str, fresh: str) -> None:
    assert migrate(before).stderr == ""
    assert schema_of(before) == schema_of(fresh)
    with psycopg.connect(before) as database:
        assert database.execute("SELECT total FROM billing_invoice").fetchall() == [(Decimal("49.04"),)]
        ran = database.execute("SELECT name FROM django_migrations WHERE app = 'billing'").fetchall()
    assert ran == [(FIRST,)]
    assert migrate(before).stderr == ""  # and again changes nothing


@pytest.mark.django_db
def test_an_older_database_is_refused_with_the_commands_that_help(before: str) -> None:
    with psycopg.connect(before) as database:
        database.execute("DELETE FROM django_migrations WHERE (app, name) = ('metering', '0010_quarantined_events')")
    refused = migrate(before)
    assert refused.returncode == 1
    assert "is from before Taximeter 0.1.0 and lacks migrations of metering" in refused.stderr
    assert "git checkout" in refused.stderr
    assert "make reset" in refused.stderr
    with psycopg.connect(before) as database:
        ran = database.execute("SELECT name FROM django_migrations WHERE app = 'billing'").fetchall()
    assert len(ran) > 1
