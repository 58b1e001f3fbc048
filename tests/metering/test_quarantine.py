"""Events that cannot be right: told by name, kept in quarantine where they may be right all the same, never lost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taximeter import events as sdk_events
from taximeter import keys as sdk_keys

from accounts.models import AuditEntry
from inference.api.metered_call import call_of
from kernel import keys
from kernel.errors import InvalidError
from metering import facade as metering
from metering.facade import ingest
from metering.models import EventIdentity, QuarantinedEvent, UsageEvent
from tests.api import Api, make_api
from tests.examples import examples
from tests.metering.otlp import CHAT, request, span

NOW = datetime(2026, 10, 15, 12, tzinfo=UTC)
OLD, LATE = "2025-10-15T11:59:59Z", "2026-10-15T13:00:01Z"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.EVENT_LOOK_BACK_DAYS, settings.EVENT_LOOK_AHEAD_SECONDS = 365, 3600


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doors' clock, so that the edges are instants."""
    monkeypatch.setattr("metering.api.views.system_clock", lambda: NOW)
    monkeypatch.setattr("metering.otlp.views.system_clock", lambda: NOW)


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def turn(event_id: str, time: str, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "edge",
        "type": "agent.turn",
        "subject": "acme",
        "time": time,
        "data": {"agent": "support"},
    } | changes


def codes(answer: Any, kind: str) -> list[tuple[str, str]]:
    return [(one["id"], one["code"]) for one in answer.json().get(kind, [])]


@pytest.mark.django_db
def test_a_time_a_year_back_or_an_hour_ahead_is_quarantined_and_counts_once_released(api: Api, at_noon: None) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    span = {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}

    def count() -> str:
        [row] = api.get("meters/turns/usage", **span).json()["data"]
        return str(row["quantity"])

    edges = [turn("first", "2025-10-15T12:00:00Z"), turn("last", "2026-10-15T13:00:00Z")]
    sent = api.post("events", [*edges, turn("old", OLD), turn("ahead", LATE)])
    assert (sent.json()["accepted"], sent.json()["rejected"]) == (2, [])
    assert codes(sent, "quarantined") == [("old", "time_too_old"), ("ahead", "time_in_future")]
    assert "one year back" in sent.json()["quarantined"][0]["detail"]
    assert count() == "2"
    again = api.post("events", [turn("old", OLD), turn("old", OLD, data={"agent": "other"})]).json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert [one["code"] for one in again["rejected"]] == ["id_conflict"]
    assert api.post("events", turn("ahead", LATE)).json()["duplicates"] == 1

    listed = api.get("quarantined_events", code="time_too_old").json()["data"]
    assert [(one["event"]["id"], one["event"]["subject"], one["state"]) for one in listed] == [
        ("old", "acme", "quarantined")
    ]
    [old], [ahead] = listed, api.get("quarantined_events", code="time_in_future").json()["data"]
    for _ in range(2):
        assert api.post(f"quarantined_events/{old['id']}/release", {}).json()["state"] == "released"
        assert api.post(f"quarantined_events/{ahead['id']}/discard", {}).json()["state"] == "discarded"
        assert count() == "3"
    assert api.post(f"quarantined_events/{ahead['id']}/release", {}).json()["code"] == "quarantine_decided"
    assert api.post(f"quarantined_events/{old['id']}/discard", {}).status_code == 409
    assert api.get("quarantined_events").json()["data"] == []
    assert len(api.get("quarantined_events", state="all").json()["data"]) == 2
    assert api.post("events", [turn("old", OLD), turn("ahead", LATE)]).json()["duplicates"] == 2
    actions = AuditEntry.objects.filter(action__startswith="quarantined_event.").values_list("action", flat=True)
    assert sorted(actions) == ["quarantined_event.discard", "quarantined_event.release"]
    assert api.get("quarantined_events", state="lost").json()["code"] == "state_invalid"
    assert api.post("quarantined_events/qev_none/release", {}).json()["code"] == "quarantined_event_not_found"
    other = make_api("Stranger")
    assert other.post(f"quarantined_events/{ahead['id']}/release", {}).status_code == 404


@pytest.mark.django_db
def test_a_duplicate_stays_one_whatever_its_time_and_the_rules_have_become(api: Api, settings: Any) -> None:
    event = turn("e", ago(days=30), data={"agent": "support", "amount": "many"})
    assert api.post("events", event).json()["accepted"] == 1
    settings.EVENT_LOOK_BACK_DAYS = 1
    api.meter("amounts", event_type="agent.turn", aggregation="sum", value="data.amount")
    assert api.post("events", event).json()["duplicates"] == 1
    new = api.post("events", {**event, "id": "new"})
    assert codes(new, "rejected") == [("new", "value_not_a_number")]


@pytest.mark.django_db
def test_a_stated_backfill_brings_older_history_and_strict_takes_nothing_impossible(api: Api, at_noon: None) -> None:
    strict = api.post("events", [turn("ok", "2026-10-15T12:00:00Z"), turn("old", OLD)], Prefer="handling=strict")
    assert (strict.status_code, codes(strict, "rejected")) == (422, [("old", "time_too_old")])
    assert not EventIdentity.objects.exists()
    history = api.post("events?backfill=true", [turn("old", OLD), turn("ahead", LATE)])
    assert (history.json()["accepted"], codes(history, "quarantined")) == (1, [("ahead", "time_in_future")])
    assert api.post("events?backfill=yes", []).json()["code"] == "backfill_invalid"


@pytest.mark.django_db
def test_voiding_and_amending_an_event_in_quarantine_discard_it_with_the_reason(api: Api, at_noon: None) -> None:
    sent = [turn("one", OLD), turn("two", OLD), turn("three", OLD)]
    assert len(api.post("events", sent).json()["quarantined"]) == 3
    waiting = {one["event"]["id"]: one["id"] for one in api.get("quarantined_events").json()["data"]}
    first = api.post("events/void", {"source": "edge", "id": "one", "reason": "a test rig"})
    assert (first.status_code, first.json()["id"], first.json()["reason"]) == (200, waiting["one"], "a test rig")
    again = api.post("events/void", {"source": "edge", "id": "one", "reason": "another reason"})
    assert again.json() == first.json()
    [gone] = api.get("quarantined_events", state="discarded").json()["data"]
    assert (gone["id"], gone["decision_reason"]) == (waiting["one"], "a test rig")
    assert gone["decided_at"] == first.json()["created_at"]
    assert api.post(f"quarantined_events/{waiting['one']}/release", {}).json()["code"] == "quarantine_decided"

    def amend(event: dict[str, Any]) -> Any:
        body = {"source": "edge", "id": "two", "reason": "wrong clock", "event": event}
        return api.post("events/amend", body)

    assert amend(turn("two-b", LATE)).status_code == 422  # both or neither
    assert len(api.get("quarantined_events").json()["data"]) == 2
    assert amend(turn("two-b", "2026-10-15T11:00:00Z")).status_code == 200
    assert api.post(f"quarantined_events/{waiting['three']}/release", {}).status_code == 200
    assert api.post("events/void", {"source": "edge", "id": "three", "reason": "r"}).json()["id"].startswith("cor_")
    assert api.post("events", [*sent, turn("one", OLD, data={})]).json()["duplicates"] == 3
    assert [(one["id"], one["voided"]) for one in api.get("events").json()["data"]] == [
        ("two-b", False),
        ("three", True),
    ]
    entries = api.get("audit_entries").json()["data"]
    kinds = ("event.void", "event.amend", "quarantined_event.discard")
    found = [(one["action"], one["target"], one["detail"]["reason"]) for one in entries if one["action"] in kinds]
    assert sorted(found) == [
        ("event.amend", "two", "wrong clock"),
        ("event.void", "one", "a test rig"),
        ("event.void", "three", "r"),
    ]


@pytest.mark.django_db
def test_the_clock_of_a_customer_who_lives_by_a_test_clock_widens_the_window(api: Api, at_noon: None) -> None:
    clock = api.post("test_clocks", {"now": "2024-03-01T00:00:00Z"}).json()["id"]
    api.customer("past", test_clock=clock)
    future = api.post("test_clocks", {"now": "2031-03-01T00:00:00Z"}).json()["id"]
    api.customer("future", test_clock=future)
    sent = api.post(
        "events",
        [
            turn("1", "2024-02-20T00:00:00Z", subject="past"),
            turn("2", "2023-02-01T00:00:00Z", subject="past"),
            turn("3", "2031-03-01T01:00:00Z", subject="future"),
            turn("4", "2031-03-01T01:00:01Z", subject="future"),
            turn("5", "2024-02-20T00:00:00Z"),
        ],
    )
    assert sent.json()["accepted"] == 2
    assert codes(sent, "quarantined") == [("2", "time_too_old"), ("4", "time_in_future"), ("5", "time_too_old")]


@pytest.mark.django_db
def test_spans_in_other_units_and_subjects_nobody_can_have_are_quarantined_and_told(api: Api) -> None:
    nanoseconds = int(datetime.now(UTC).timestamp()) * 10**9
    ends = {
        "a1": nanoseconds // 10**6,
        "a2": nanoseconds // 10**9,
        "a3": 2**64 - 1,
        "a4": nanoseconds + 400 * 864 * 10**11,
    }
    spans = [span(one, CHAT, endTimeUnixNano=str(end), startTimeUnixNano="0") for one, end in ends.items()]
    spans.append(span("b1", CHAT | {"taximeter.customer": "a/b"}, endTimeUnixNano=str(nanoseconds)))
    spans.append(span("b2", CHAT | {"taximeter.customer": "auth0|5f7c"}, endTimeUnixNano=str(nanoseconds)))
    for _ in range(2):
        answer = api.client.post("/v1/traces", json.dumps(request(*spans)), content_type="application/json")
        assert answer.status_code == 200
    assert "partialSuccess" not in answer.json() or "quarantine" not in answer.json()["partialSuccess"]["errorMessage"]
    found = Counter(QuarantinedEvent.objects.values_list("reason", flat=True))
    assert found == {"time_too_old": 2, "time_in_future": 2, "subject_invalid": 1}
    assert list(UsageEvent.objects.values_list("subject", flat=True)) == ["auth0|5f7c"]
    [one] = api.get("quarantined_events", code="subject_invalid").json()["data"]
    assert api.post(f"quarantined_events/{one['id']}/release", {"customer": "a b"}).status_code == 422
    assert api.post(f"quarantined_events/{one['id']}/release", {}).json()["code"] == "customer_required"
    assert api.post(f"quarantined_events/{one['id']}/release", {"customer": "a|b"}).status_code == 200
    assert set(UsageEvent.objects.values_list("subject", flat=True)) == {"auth0|5f7c", "a|b"}


@pytest.mark.django_db
def test_an_outcome_nobody_knows_is_refused_by_name(api: Api) -> None:
    def task(event_id: str, outcome: object) -> dict[str, Any]:
        return turn(event_id, ago(hours=1), type="agent.task", data={"task_id": event_id, "outcome": outcome})

    known = ["succeeded", "failed", "escalated", "cancelled", "timed_out", "blocked", None]
    unknown = ["success", "Succeeded", "", "succeeded ", 1, True, ["succeeded"], {"outcome": "failed"}]
    sent = api.post("events", [task(str(n), one) for n, one in enumerate([*known, *unknown])])
    assert sent.json()["accepted"] == 7
    assert codes(sent, "rejected") == [(str(n), "outcome_invalid") for n in range(7, 15)]
    assert "Use one of succeeded, failed" in sent.json()["rejected"][0]["detail"]
    # What is no task may call something else its outcome.
    assert api.post("events", turn("t", ago(hours=1), data={"outcome": "odd"})).json()["accepted"] == 1


SUBJECTS = st.sampled_from(["acme", "auth0|5f7c", "größe", "a/b", " acme", "gro\u0308\u00dfe", None])
TIMES = st.sampled_from([0.0, 1.0, 200.0, 366.0, 400.0, -1.0, -400.0, 20_000.0])
OUTCOMES = st.sampled_from(["succeeded", "success", None])
EVENTS = st.lists(st.tuples(st.integers(0, 5), SUBJECTS, TIMES, OUTCOMES), min_size=1, max_size=8)


@pytest.fixture
def base() -> datetime:
    return datetime.now(UTC)


@pytest.mark.django_db
@given(requests=st.lists(st.tuples(st.sampled_from(["rest", "strict", "once", "backfill"]), EVENTS), max_size=4))
@settings(
    max_examples=examples(10, thorough=100),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_every_event_sent_is_told_of_once_and_kept_once(api: Api, base: datetime, requests: Any) -> None:
    source, identities = str(uuid4()), set()
    for door, drawn in requests:
        events = [
            turn(
                str(number),
                (base - timedelta(days=days)).isoformat(),
                source=source,
                subject=subject,
                type="agent.task",
                data={} if outcome is None else {"outcome": outcome},
            )
            for number, subject, days, outcome in drawn
        ]
        told = _sent(api, door, events)
        rejected, quarantined = told["rejected"], told.get("quarantined", [])
        if told.get("status") != 422:
            assert told["accepted"] + told["duplicates"] + len(rejected) + len(quarantined) == len(events)
        assert not {one["index"] for one in rejected} & {one["index"] for one in quarantined}
        identities |= {one["id"] for one in quarantined}
    logged = list(UsageEvent.objects.filter(source=source).values_list("event_id", flat=True))
    kept = list(QuarantinedEvent.objects.filter(source=source).values_list("event_id", flat=True))
    assert len(set(logged)) == len(logged)
    assert sorted(identities) == sorted(kept)
    assert not set(logged) & set(kept)
    for one in UsageEvent.objects.filter(source=source):
        assert one.subject in {"acme", "auth0|5f7c", "größe", None}
        assert one.data.get("outcome") != "success"


def _sent(api: Api, door: str, events: list[dict[str, Any]]) -> Any:
    if door == "once":
        result = ingest(
            organization_id=api.organization.pk, events=events, received_at=datetime.now(UTC), sent_once=True
        )
        return msgspec.to_builtins(result)
    headers = {"Prefer": "handling=strict"} if door == "strict" else {}
    return api.post("events?backfill=true" if door == "backfill" else "events", events, **headers).json()


LETTERS = st.characters(codec="utf-8") | st.sampled_from("aZ0._:@+|-/ \u0308e\u00e9\u0939\u093f\u200d")


@given(st.text(LETTERS, max_size=6) | st.sampled_from(["x" * 128, "x" * 129]))
def test_the_sdk_and_the_server_have_one_rule_of_keys(text: str) -> None:
    assert keys.customer_key_refusal(text) == sdk_keys.customer_key_refusal(text)
    if keys.customer_key_refusal(text) is None:
        assert normalize("NFC", text) == text == text.strip()
        for sent in (text, quote(text, safe="")):
            assert keys.customer_in_header(sent.encode().decode("latin-1")) == text


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["auth0|5f7c", "größe", "Ω-1", "हिन्दी", "客户:7", "a|b@c+d"])
def test_a_customer_with_such_a_key_has_addresses_usage_and_links(api: Api, key: str) -> None:
    api.customer(key)
    api.meter("turns", event_type="agent.turn", aggregation="count")
    path = f"customers/{quote(key, safe='')}"
    assert api.get(path).json()["key"] == key
    assert api.get(f"{path}/credit_balance").status_code == 200
    assert api.post("events", turn("e", ago(hours=1), subject=key)).json()["accepted"] == 1
    span = {"from": ago(hours=2), "to": ago(hours=0)}
    assert api.get("meters/turns/usage", customer=key, **span).json()["data"][0]["quantity"] == "1"
    header = {"X-Customer": quote(key, safe="")}
    called = api.client.post(
        "/v1/traces",
        json.dumps(request(call_now("c1"), resource={})),
        content_type="application/json",
        headers=header,
    )
    assert called.status_code == 200
    assert UsageEvent.objects.filter(subject=key, type="inference.call").count() == 1
    made = api.post("api_keys", {"name": "k", "scopes": ["ingest"], "customer": key})
    assert (made.status_code, made.json()["customer"]) == (201, key)


def call_now(span_id: str) -> dict[str, Any]:
    now = str(int(datetime.now(UTC).timestamp()) * 10**9)
    return span(span_id, CHAT, startTimeUnixNano=now, endTimeUnixNano=now)


@pytest.mark.django_db
def test_what_can_never_be_a_key_is_refused_by_name_everywhere(api: Api) -> None:
    never = ["a/b", " acme", "acme\u00a0", "gro\u0308\u00dfe", "a b", "|a", "x" * 129, "a\u200db", "a?b", "%41"]
    for key in never:
        refused = api.post("customers", {"key": key})
        assert refused.status_code == 422, key
        assert refused.json()["errors"][0]["code"] in {"key_invalid", "max_length", "text_invalid"}
        assert api.post("api_keys", {"name": "k", "scopes": ["ingest"], "customer": key}).status_code == 422
    sent = api.post("events", [turn(str(n), ago(hours=1), subject=one) for n, one in enumerate(never)])
    assert codes(sent, "rejected") == [(str(n), "subject_invalid") for n in range(len(never))]
    assert "NFC" in sent.json()["rejected"][3]["detail"]
    with pytest.raises(InvalidError, match="can never be a customer's key"):
        call_of({"X-Customer": "a/b"}, organization_id=api.organization.pk, sent_by="key_x")


@pytest.mark.django_db
def test_the_answer_names_each_subject_once_that_is_no_customer_yet(api: Api) -> None:
    api.customer("acme")
    events = [turn("1", ago(hours=1)), *(turn(str(n), ago(hours=1), subject="later") for n in (2, 3))]
    for _ in range(2):
        notices = api.post("events", events).json()["notices"]
        assert [(one["index"], one["id"], one["code"]) for one in notices] == [(1, "2", "customer_unknown")]
    assert [one["subject"] for one in api.get("unassigned_usage").json()["data"]] == ["later"]
    api.customer("later")
    assert "notices" not in api.post("events", events).json()


def test_the_sdk_and_the_server_have_one_vocabulary_of_outcomes() -> None:
    assert sdk_events.OUTCOMES == metering.OUTCOMES
