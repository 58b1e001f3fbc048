"""Databases from before the first release, whose migrations are gone: those that were up to date are taken over.

Migrations started over with 0.1.0: one of each room makes the tables that dozens had made. A database that has run all
of the former ones has the same tables already, so only the list of what has run is rewritten. One that has not cannot
be brought further by this version.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from kernel.errors import ConflictError

#: The last migration of each room before the release.
LAST = {
    "accounts": "0007_sessions_and_sealed_factors",
    "agents": "0006_sums_for_dashboards",
    "billing": "0027_days_charged_alone",
    "budgets": "0001_budgets",
    "collection": "0004_names_of_tables",
    "exports": "0001_exports",
    "inference": "0002_catalogue",
    "metering": "0010_quarantined_events",
    "notifications": "0003_names_of_tables",
    "rest": "0001_initial",
}
FIRST = "0001_tables"
#: The last commit that has the former migrations.
BEFORE = "8d579e0"

# Django named it otherwise when the column was made unique later.
_SAME_NAMES = """
ALTER TABLE inference_model RENAME CONSTRAINT inference_model_key_65105d16_uniq TO inference_model_key_key
"""


class DatabaseTooOld(ConflictError):
    code = "database_too_old"


def take_over() -> bool:
    """Rewrite the list of migrations of a database from before the release; False where there is nothing to do.

    Raises `DatabaseTooOld` where the database had not run all of them.
    """
    recorder = MigrationRecorder(connection)
    if not recorder.has_table():
        return False
    of_rooms = recorder.migration_qs.filter(app__in=LAST)
    ran = set(of_rooms.values_list("app", "name"))
    if not ran or any(name == FIRST for _, name in ran):
        return False
    behind = sorted(app for app, name in LAST.items() if (app, name) not in ran)
    if behind:
        raise DatabaseTooOld(
            f"This database is from before Taximeter 0.1.0 and lacks migrations of {', '.join(behind)}. "
            f"To keep its data: run `git checkout {BEFORE}` and `make run` once, then come back to this version. "
            "To start empty: run `make reset`."
        )
    with transaction.atomic():
        connection.cursor().execute(_SAME_NAMES)
        of_rooms.delete()
        for app in LAST:
            recorder.record_applied(app, FIRST)
    return True
