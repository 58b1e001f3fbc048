"""A room's squashed migration does what its steps did, and a database that went by the steps goes on."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

SQUASHED = [key for key, migration in MigrationLoader(None).disk_migrations.items() if migration.replaces]


def project(*, squashed: bool) -> ProjectState:
    return MigrationLoader(None, replace_migrations=squashed).project_state()


def still_to_run() -> list[tuple[str, str]]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    executor.loader.check_consistent_history(connection)
    return [(migration.app_label, migration.name) for migration, _ in plan]


@pytest.mark.parametrize(("room", "name"), SQUASHED)
def test_a_squashed_migration_replaces_all_that_were_before_it(room: str, name: str) -> None:
    migrations = MigrationLoader(None).disk_migrations
    steps = sorted(step for app, step in migrations if app == room and step != name)
    replaced = [step for _, step in migrations[room, name].replaces]
    assert replaced == steps[: len(replaced)]
    assert name == f"0001_squashed_{replaced[-1]}"


def test_both_ways_lead_to_the_same_models() -> None:
    steps, squashed = project(squashed=False), project(squashed=True)
    graph = MigrationLoader(None).graph
    assert MigrationAutodetector(steps, squashed).changes(graph=graph) == {}
    assert MigrationAutodetector(squashed, steps).changes(graph=graph) == {}


@pytest.mark.django_db
def test_a_database_that_went_by_the_steps_has_nothing_to_run() -> None:
    MigrationRecorder(connection).migration_qs.filter(name__contains="_squashed_").delete()
    assert still_to_run() == []


@pytest.mark.django_db
@pytest.mark.parametrize(("room", "name"), SQUASHED)
def test_a_database_that_stopped_between_the_steps_goes_on_by_them(room: str, name: str) -> None:
    last = (room, name.removeprefix("0001_squashed_"))
    recorder = MigrationRecorder(connection)
    recorder.migration_qs.filter(name__contains="_squashed_").delete()
    for step in MigrationLoader(connection, replace_migrations=False).graph.backwards_plan(last):
        recorder.record_unapplied(*step)
    assert last in still_to_run()
    assert (room, name) not in still_to_run()
