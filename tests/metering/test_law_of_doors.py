"""The same event has the same outcome at every door, in one vocabulary and with the same codes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from inference.services.calls import record_calls
from metering.models import QuarantinedEvent, UsageEvent
from tests.api import Api
from tests.metering.doors import DOORS, HISTORY, SENT_ONCE, Case, Told

SUBJECTS = ["acme", "auth0|5f7c", "größe", "a/b", " acme", "gro\u0308\u00dfe", "x" * 129, None]
NEVER = {"a/b", " acme", "gro\u0308\u00dfe", "x" * 129}
DAYS = [0, 364, 400, -1]
OUTCOMES = ["succeeded", "success"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.EVENT_LOOK_BACK_DAYS, settings.EVENT_LOOK_AHEAD_SECONDS = 365, 3600


def outcome_at(door: str, case: Case, now: datetime) -> Told:
    """The table of docs/quarantine.md."""
    if case.outcome == "success":
        return "rejected", "outcome_invalid"
    if case.subject in NEVER:
        return ("quarantined" if door in SENT_ONCE else "rejected"), "subject_invalid"
    if case.time > now:
        return "quarantined", "time_in_future"
    if now - case.time > timedelta(days=365) and door not in HISTORY:
        return "quarantined", "time_too_old"
    return "accepted", None


@pytest.mark.parametrize("door", DOORS)
def test_the_same_event_has_the_same_outcome_at_every_door(door: str, api: Api, tmp_path: Path) -> None:
    api.customer("acme")
    now = datetime.now(UTC).replace(microsecond=0)
    # A table names a customer in each row.
    subjects = [one for one in SUBJECTS if one is not None or door != "import_events"]
    drawn = enumerate(product(subjects, DAYS, OUTCOMES))
    cases = [Case(n, subject, now - timedelta(days=days), outcome) for n, (subject, days, outcome) in drawn]
    first = [outcome_at(door, case, now) for case in cases]
    was_kept = [kind != "rejected" for kind, _ in first]

    def later(kept: Told) -> list[Told]:
        return [kept if is_kept else told for is_kept, told in zip(was_kept, first, strict=True)]

    def sent(goal: str) -> dict[Case, Told]:
        return dict(zip(cases, DOORS[door](api, tmp_path, cases, goal), strict=True))

    assert sent("first") == dict(zip(cases, first, strict=True))
    for _ in range(2):
        assert sent("first") == dict(zip(cases, later(("duplicate", None)), strict=True))
        assert sent("other") == dict(zip(cases, later(("rejected", "id_conflict")), strict=True))
    reasons = Counter(code for kind, code in first if kind == "quarantined")
    assert Counter(QuarantinedEvent.objects.values_list("reason", flat=True)) == reasons
    assert UsageEvent.objects.count() == first.count(("accepted", None))
    for one in UsageEvent.objects.all():
        assert (one.subject in NEVER, one.data["outcome"], one.data["goal"]) == (False, "succeeded", "first")


def test_calls_that_the_engine_kept_are_quarantined_by_the_same_rules(api: Api) -> None:
    now = datetime.now(UTC)
    who = {"organization_id": api.organization.pk, "agent": None, "task_id": None, "turn_id": None}

    def kept(name: str, subject: str | None, days: int) -> dict[str, Any]:
        at = (now - timedelta(days=days)).isoformat()
        account = {"model": "m", "input_tokens": 3, "output_tokens": 2, "compute_seconds": "0.1"}
        account |= {"finish_reason": "stop", "finished_at": at}
        return {"id": name, "call": who | {"customer": subject, "started_at": at}, "account": account}

    calls = [kept("now", "acme", 0), kept("old", "acme", 400), kept("ahead", None, -1), kept("never", "a/b", 400)]
    for _ in range(2):
        assert sorted(record_calls(calls=calls, now=now)) == ["ahead", "never", "now", "old"]
        assert list(UsageEvent.objects.values_list("event_id", flat=True)) == ["call/now"]
        assert dict(QuarantinedEvent.objects.values_list("event_id", "reason")) == {
            "call/old": "time_too_old",
            "call/ahead": "time_in_future",
            "call/never": "subject_invalid",
        }
