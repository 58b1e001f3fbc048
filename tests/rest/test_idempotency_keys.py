"""Answers to repeated requests are kept for a day, and no request of another pays for their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from kernel.clock import system_clock
from rest.idempotency import forget_old_keys
from rest.models import IdempotencyRecord
from tests.api import Api

KEY = {"idempotency-key": "k-1"}


def test_a_key_is_free_again_after_a_day_also_where_the_night_has_not_come(api: Api) -> None:
    assert api.post("customers", {"key": "first"}, **KEY).status_code == 201
    assert api.post("customers", {"key": "second"}, **KEY).json()["code"] == "idempotency_key_reused"
    IdempotencyRecord.objects.update(created_at=system_clock() - timedelta(hours=24, seconds=1))
    assert api.post("customers", {"key": "second"}, **KEY).status_code == 201
    assert IdempotencyRecord.objects.count() == 1


def test_the_night_deletes_what_is_older_than_a_day(api: Api) -> None:
    now = datetime(2026, 12, 1, 1, 30, tzinfo=UTC)
    ages = {"new": timedelta(hours=23), "just": timedelta(hours=24), "old": timedelta(hours=24, seconds=1)}
    for key, age in ages.items():
        IdempotencyRecord.objects.create(organization_id=1, key=key, request_hash=b"", created_at=now - age)
    assert forget_old_keys(now=now) == 1
    assert set(IdempotencyRecord.objects.values_list("key", flat=True)) == {"new", "just"}


def test_a_request_touches_no_record_but_its_own(api: Api) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert api.post("customers", {"key": "acme"}, **KEY).status_code == 201
    deletes = [one["sql"] for one in queries if one["sql"].startswith("DELETE") and "rest_idempotency" in one["sql"]]
    assert all("\"key\" = 'k-1'" in sql for sql in deletes), deletes
