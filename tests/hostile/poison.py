"""Every text that the database holds becomes a payload: what was stored before names were checked, and what events say.

Columns are found from the models, so that a new one is poisoned as well. Those that steer the program are left: they
are listed by name here, and end a page with an error if they are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from tests.hostile.payloads import MARK, hostile

ROOMS = ("accounts", "metering", "billing", "collection", "budgets", "agents", "inference", "exports", "notifications")

#: Columns that people do not fill: what names, times, measures or steers things, by the ends of their names.
_STEERING = re.compile(
    r"(^|_)(id|key|keys|hash|token|digest|secret|sha256|currency|timezone|locale|language|status|state|kind|kinds|period"
    r"|interval|month|format|scope|scopes|snapshot|position|color|accent|country|type|types|role|number|password|email"
    r"|fingerprint|path|seal|sealed|hint|iban|bic|url|code|source|meter|provider|aggregation|trigger|address|to|salt"
    r"|file|signature|manifest|group|nonce|cipher|device|version|prefix|holder|public_id|customer|subject"
    r"|action|feature|window|media_type|body|architecture|quantization|event_name|session_data|address|wrapped|client_id|issuer)$"
)
#: Tables in which nothing that people write is kept, or that are made of the log.
_TABLES_LEFT = {
    *("metering.UsageBucket", "metering.UsageEvent", "metering.EventIdentity", "metering.MeterVersion"),
    *("agents.TaskSummary", "agents.CallUsage", "agents.CallHour", "agents.CallDay", "agents.CallMonth"),
}
#: JSON that is computed with.
_JSON_LEFT = {"model", "definition", "filter", "measure", "thresholds", "archived", "manifest", "events", "request",
              "switched_off", "retry_days", "reminder_days", "usage", "dimensions", "actions"}  # fmt: skip
#: Names within JSON whose values are computed with, beside all that looks like a number, a time, a code or an address.
_NAMES_LEFT = re.compile(
    r"(^|_)(id|key|kind|status|type|locale|timezone|currency|month|period|scope|attachments|country|link|url)$"
)
_COMPUTED = re.compile(r"[-+0-9.:TZ]*|[A-Z]{2,3}|https?://\S*|/\S*|[a-z]{3}_\w+")


@contextmanager
def without_triggers() -> Iterator[Any]:
    """A cursor that may change what never changes."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield cursor
        finally:
            cursor.execute("SET session_replication_role = origin")


def poison_database() -> int:
    """Overwrite every text there is; returns how many columns were."""
    count = 0
    with without_triggers() as cursor:
        for model in (one for room in ROOMS for one in apps.get_app_config(room).get_models()):
            if model._meta.label not in _TABLES_LEFT and model._meta.managed:
                count += sum(_poison(cursor, model, field) for field in model._meta.concrete_fields)
    return count


def _poison(cursor: Any, model: Any, field: Any) -> bool:
    if field.primary_key or field.is_relation or field.unique or isinstance(field, ArrayField):
        return False
    if isinstance(field, models.JSONField):
        return field.name not in _JSON_LEFT and _poison_json(model, field.name)
    is_text = isinstance(field, models.CharField | models.TextField)
    is_link = field.name.endswith("_url") or field.name == "website"
    if not is_text or field.choices or (_STEERING.search(field.name) and not is_link):
        return False
    table, column = model._meta.db_table, field.column
    sql = f"""UPDATE "{table}" SET "{column}" = %s WHERE "{column}" <> ''"""
    cursor.execute(sql, [f"javascript:alert('{MARK}')" if is_link else hostile(getattr(field, "max_length", None))])
    return bool(cursor.rowcount)


def _poison_json(model: Any, name: str) -> bool:
    rows = list(model._base_manager.values_list("pk", name))
    for pk, value in rows:
        model._base_manager.filter(pk=pk).update(**{name: poisoned(value)})
    return bool(rows)


def poisoned(value: Any, name: str = "") -> Any:
    """A JSON value of the same shape, whose texts are payloads."""
    if isinstance(value, dict):
        return {key: item if _NAMES_LEFT.search(key) else poisoned(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, name) for item in value]
    return hostile(200) if isinstance(value, str) and not _COMPUTED.fullmatch(value) else value
