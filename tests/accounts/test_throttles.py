"""Counts of tries and uses: pruned every night, and bounded however many addresses an outsider tries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as configured

from accounts.models import Throttle
from accounts.services import throttles
from accounts.tasks import prune_throttles
from kernel.clock import system_clock

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def try_password(who: str, now: datetime = NOW) -> None:
    throttles.take_try(what="password", who=who, now=now)


def test_the_nightly_task_deletes_what_counts_no_more_in_bounded_batches(monkeypatch: Any) -> None:
    monkeypatch.setattr(throttles, "PRUNED_AT_ONCE", 3)
    now = system_clock()
    for number in range(10):
        try_password(f"{number}@example.com", now - timedelta(hours=25))
    throttles.take_use(what="pay_page", who="inv_1", most=5, within=timedelta(minutes=1), now=now - timedelta(days=2))
    try_password("ada@example.com", now - timedelta(hours=23))
    assert prune_throttles() == 11
    assert Throttle.objects.count() == 1
    scheduled = [one["task"] for one in configured.CELERY_BEAT_SCHEDULE.values()]
    assert scheduled.count("accounts.prune_throttles") == 1


def test_an_outsider_cannot_fill_the_table(monkeypatch: Any) -> None:
    monkeypatch.setattr(throttles, "MOST_ROWS", 40)
    monkeypatch.setattr(throttles, "PRUNED_AT_ONCE", 10)
    monkeypatch.setattr(throttles, "LOOKED_AT_EVERY", 1)
    for _ in range(throttles.FREE):
        try_password("ada@example.com")
    most = 0
    for number in range(300):
        try_password(f"{number}@example.com", NOW + timedelta(milliseconds=number))
        throttles.take_use(what="pay_page", who=f"inv_{number}", most=5, within=timedelta(minutes=1), now=NOW)
        most = max(most, Throttle.objects.count())
    assert most <= 41
    with pytest.raises(throttles.TooManyTries):  # who has to wait still does
        try_password("ada@example.com", NOW + timedelta(seconds=14))
