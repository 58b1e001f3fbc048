"""Months that have left the log: every answer is what it was before, whatever comes later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.facade import create_organization
from metering.archive import files
from metering.contracts import ArchiveUnavailable
from metering.facade import (
    UsageQuestion,
    advance_projections,
    amend_event,
    attach_month,
    changed_periods,
    find_event,
    get_meter_version,
    ingest,
    usage,
)
from metering.models import LogArchive, MeterVersion, UsageEvent
from metering.queries.meters import projection_progress
from metering.services.projections import advance_projection, current_watermark
from rest.isolation import one_snapshot
from tests.api import Api
from tests.metering.retention.conftest import (
    METERS,
    NOW,
    OCTOBER,
    SOURCE,
    answers,
    detach,
    event,
    in_log,
    make_meters,
    pages,
    send,
    snapshot,
    streams,
    usages,
    void,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_answer_stays_what_it_was_when_a_month_leaves_and_when_it_comes_back(filled: int) -> None:
    seen = snapshot()
    before = answers(filled, seen)
    assert len(before["events"]) == 620
    archive = detach()
    assert archive is not None
    assert (in_log(filled), archive.events) == (0, 502)
    assert answers(filled, seen) == before
    assert attach_month(month=OCTOBER) == 502
    assert in_log(filled) == 502
    assert not LogArchive.objects.exists()
    assert not list(files.directory().iterdir())
    assert answers(filled, seen) == before


@pytest.mark.parametrize("projected", [False, True])
def test_what_comes_after_the_month_has_left_counts_as_if_it_had_not(filled: int, projected: bool) -> None:
    """The same late events, voids and amendments, with October in the log and out of it."""
    twin = int(create_organization(name="Twin").pk)
    late = [event(1000 + n, time=datetime(2026, 10, 5, 12, n, tzinfo=UTC)) for n in range(9)]
    for start in range(0, 620, 155):
        send(twin, [event(number) for number in range(start, start + 155)])
    for number in (100, 333, 610):
        void(twin, number)
    make_meters(twin)
    advance_projections()

    def change(organization_id: int) -> None:
        send(organization_id, late)
        void(organization_id, 200)
        void(organization_id, 1003)
        amend_event(
            organization_id=organization_id, source=SOURCE, event_id="e201", reason="wrong", at=NOW,
            replacement=event(2000, time="2026-10-07T00:00:00Z", subject="acme"),
        )  # fmt: skip

    detach()
    change(filled)
    if projected:
        advance_projections()
    since_the_months_left = answers(filled, snapshot())
    attach_month(month=OCTOBER)
    change(twin)
    kept_in_the_log = answers(twin, snapshot())
    for key, rows in kept_in_the_log.items():
        if "event" not in key and "of a" not in key and "line" not in key:
            assert since_the_months_left[key] == rows, key
    assert [one.id for one in since_the_months_left["events"]] == [one.id for one in kept_in_the_log["events"]]
    for meter in METERS:
        assert since_the_months_left[f"line {meter}"][0] == kept_in_the_log[f"line {meter}"][0]


def test_late_events_make_a_second_part(filled: int) -> None:
    detach()
    send(filled, [event(1000 + n, time=datetime(2026, 10, 5, 12, n, tzinfo=UTC)) for n in range(9)])
    advance_projections()
    before = answers(filled, snapshot())
    second = detach()
    assert second is not None
    assert (second.part, second.events, in_log(filled)) == (2, 9, 0)
    assert detach() is None
    assert answers(filled, snapshot()) == before
    assert attach_month(month=OCTOBER) == 511
    assert answers(filled, snapshot()) == before


def test_projections_of_other_rooms_read_what_has_left(filled: int) -> None:
    before = streams(filled)
    assert (len(before["changes"]), before["behind"]) == (534, [filled])
    detach()
    assert streams(filled) == before
    attach_month(month=OCTOBER)
    assert streams(filled) == before


def test_a_new_meter_counts_what_has_left(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_EVENTS", 150)
    monkeypatch.setattr("metering.services.projections.STEP", 100)
    before = usages(filled, METERS)
    archive = detach()
    assert archive is not None
    assert archive.row_groups == 4
    make_meters(filled, " again")

    def now() -> list[tuple[Any, ...]]:
        pairs = [usages(filled, ["sum", "unique_count"], suffix) for suffix in ("", " again")]
        return [tuple(one.values()) for one in pairs]

    assert tuple(usages(filled, METERS, " again").values()) == tuple(before.values())
    version = get_meter_version(organization_id=filled, meter="sum again")
    assert projection_progress(version.meter) == {"state": "building", "progress": 0}
    steps = 0
    while advance_projection(meter_version_id=version.pk, watermark=current_watermark()):
        steps += 1
        if steps in {1, 3}:
            void(filled, 300 + steps)
            void(filled, 610 - steps)
            kept, made = now()
            assert kept == made
    assert steps > 4
    advance_projections()
    assert projection_progress(version.meter) == {"state": "live", "progress": 1}
    kept, made = now()
    assert kept == made


def test_a_month_comes_back_while_a_new_meter_takes_it_in(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GROUP_EVENTS", 150)
    monkeypatch.setattr("metering.services.projections.STEP", 100)
    before = tuple(usages(filled, METERS).values())
    detach()
    make_meters(filled, " again")
    version = get_meter_version(organization_id=filled, meter="sum again")
    assert advance_projection(meter_version_id=version.pk, watermark=current_watermark())
    assert MeterVersion.objects.get(pk=version.pk).archived
    attach_month(month=OCTOBER)
    assert tuple(usages(filled, METERS, " again").values()) == before
    advance_projections()
    assert tuple(usages(filled, METERS, " again").values()) == before


def test_identity_holds_for_events_that_have_left(filled: int) -> None:
    detach()
    result = ingest(organization_id=filled, events=[event(100), event(101, subject="other")], received_at=NOW)
    assert (result.accepted, result.duplicates, [one.code for one in result.rejected]) == (0, 1, ["id_conflict"])
    assert ingest(organization_id=filled, events=[event(102)], received_at=NOW).duplicates == 1


def test_an_event_that_has_left_is_found_by_its_identity(filled: int) -> None:
    [wanted] = UsageEvent.objects.filter(organization_id=filled, event_id="e102")
    detach()
    found = find_event(organization_id=filled, identity=wanted.pk)
    assert found is not None
    assert (found.event_id, found.data, found.time, found.xid) == ("e102", wanted.data, wanted.time, wanted.xid)
    assert find_event(organization_id=filled + 1, identity=wanted.pk) is None


def test_changed_days_are_told_of_late_events_that_have_left(filled: int) -> None:
    since = snapshot()
    send(filled, [event(1000, time="2026-10-05T12:00:00Z", subject="acme")])
    advance_projections()
    before = datetime(2026, 11, 1, tzinfo=UTC)
    asked = {"organization_id": filled, "since": since, "until": None, "before": before}
    changed = changed_periods(**asked)
    assert [(one.subject, one.day.isoformat()) for one in changed] == [("acme", "2026-10-05")]
    detach()
    assert changed_periods(**asked) == changed
    void(filled, 101)
    assert [one.day.isoformat() for one in changed_periods(**asked)] == ["2026-10-04", "2026-10-05"]


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_without_its_file_nothing_is_said_that_needs_it(filled: int, damage: str) -> None:
    archive = detach()
    assert archive is not None
    path = files.directory() / archive.file
    content = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(content[:1000] + b"?" + content[1001:])
    question = UsageQuestion(organization_id=filled, meter="max", period=OCTOBER.period(ZoneInfo("UTC")))
    with pytest.raises(ArchiveUnavailable):
        usage(question)
    with pytest.raises(ArchiveUnavailable):
        attach_month(month=OCTOBER)
    with pytest.raises(ArchiveUnavailable):
        pages(filled)
    assert usage(replace(question, meter="count"))[0].quantity == 428  # buckets have that
    path.write_bytes(content)
    assert usage(question)[0].quantity == Decimal(3)


def test_the_api_says_503_archive_unavailable(api: Api) -> None:
    send(api.organization.pk, [event(number) for number in range(300)])
    make_meters(api.organization.pk)
    advance_projections()
    archive = detach()
    assert archive is not None
    (files.directory() / archive.file).unlink()
    answer = api.get("meters/max/usage?from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z")
    assert (answer.status_code, answer.json()["code"]) == (503, "archive_unavailable")


def test_a_question_within_one_snapshot_is_answered_of_it(filled: int) -> None:
    """A month leaves between two questions of a transaction that sees one snapshot, by another session."""
    question = UsageQuestion(organization_id=filled, meter="max", period=OCTOBER.period(ZoneInfo("UTC")), window="day")
    expected = usage(question)
    detach()
    with one_snapshot():
        assert usage(question) == expected
        assert usage(replace(question, customers=("acme",))) != expected
        assert usage(question) == expected
