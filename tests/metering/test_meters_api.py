from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api import Api

Build = Callable[..., dict[str, Any]]


def test_a_meter_is_made_listed_and_found_by_key_and_id(api: Api, another_api: Api) -> None:
    body = {
        "key": "turns",
        "name": "Turns",
        "unit": "turn",
        "event_type": "agent.turn",
        "aggregation": "count",
        "filters": [{"path": "data.environment", "op": "ne", "value": "test"}],
        "dimensions": {"agent": "data.agent"},
    }
    made = api.post("meters", body)
    assert made.status_code == 201
    shown = made.json()
    assert {name: shown[name] for name in body} == body
    assert shown["id"].startswith("mtr_")
    found = api.get("meters/turns").json()
    assert (
        found == api.get(f"meters/{shown['id']}").json() == shown | {"projection": {"state": "live", "progress": "1"}}
    )
    assert api.get("meters").json() == {"data": [shown], "next_cursor": None}
    assert another_api.get(f"meters/{shown['id']}").status_code == 404
    again = api.post("meters", body)
    assert (again.status_code, again.json()["code"]) == (409, "meter_exists")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"aggregation": "median"}, "/aggregation"),
        ({"aggregation": "sum"}, "/value"),
        ({"value": "data.n"}, "/value"),
        ({"aggregation": "sum", "value": "n"}, "/value"),
        ({"aggregation": "sum", "value": "data.n'; DROP TABLE x"}, "/value"),
        ({"filters": [{"path": "data.n", "op": "like", "value": "x"}]}, "/filters/0"),
        ({"filters": [{"path": "data.n", "op": "gt", "value": "x"}]}, "/filters/0"),
        ({"filters": [{"path": "data.n", "op": "in", "value": []}]}, "/filters/0"),
        ({"filters": [{"path": "data.n", "op": "eq", "value": {"a": 1}}]}, "/filters/0"),
        ({"dimensions": {"from": "data.n"}}, "/dimensions/from"),
        ({"dimensions": {"Model": "data.n"}}, "/dimensions/Model"),
        ({"key": "with space"}, "/key"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_meter_that_cannot_be_computed_is_refused_with_a_pointer(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    answer = api.post("meters", {"key": "m", "event_type": "t", "aggregation": "count"} | change)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_filters_choose_events(api: Api, event: Build) -> None:
    values = [{"m": "a"}, {"m": "b"}, {"m": 1}, {"m": 2.5}, {"m": "2.5"}, {"m": True}, {"m": None}, {}]
    api.post("events", [event(f"e{i}", data=data) for i, data in enumerate(values)])
    expected = [
        ("eq", "a", "1"),
        ("eq", 1, "1"),
        ("eq", True, "1"),
        ("ne", "a", "7"),
        ("in", ["a", "b"], "2"),
        ("not_in", ["a", "b"], "6"),
        ("gt", 1, "2"),
        ("gte", "1", "3"),
        ("lt", 2.5, "1"),
        ("lte", 2.5, "3"),
        ("exists", True, "6"),
        ("exists", False, "2"),
    ]
    found = []
    for number, (op, value, _) in enumerate(expected):
        filters = [{"path": "data.m", "op": op, "value": value}]
        api.meter(f"m{number}", event_type="agent.turn", aggregation="count", filters=filters)
        found.append((op, value, api.quantity(f"m{number}")))
    assert found == expected


def test_usage_is_cut_into_days_of_a_zone_with_their_23_and_25_hours(api: Api, event: Build) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    # Berlin leaves daylight saving time on 25 October 2026 at 01:00 UTC: that day has 25 hours.
    stamps = ["2026-10-24T21:59:00Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:00Z", "2026-10-25T23:00:00Z"]
    api.post("events", [event(f"e{i}", time=time) for i, time in enumerate(stamps)])
    rows = api.october("turns", window="day", timezone="Europe/Berlin")
    assert [(row["start"], row["end"], row["quantity"]) for row in rows] == [
        ("2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "1"),
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2"),
        ("2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z", "1"),
    ]


def test_usage_is_grouped_by_dimensions_and_customers_and_filtered_by_them(api: Api, event: Build) -> None:
    api.meter(
        "tokens",
        event_type="inference.call",
        aggregation="sum",
        value="data.n",
        dimensions={"model": "data.model", "agent": "data.agent"},
    )
    calls = [("acme", "a", "x", 1), ("acme", "b", "x", 2), ("globex", "a", "y", 4), ("globex", None, "y", 8)]
    api.post(
        "events",
        [
            event(f"e{i}", type="inference.call", subject=customer, data={"model": model, "agent": agent, "n": n})
            for i, (customer, model, agent, n) in enumerate(calls)
        ],
    )
    by_model = {row["group"]["model"]: row["quantity"] for row in api.october("tokens", group_by="model")}
    assert by_model == {"a": "5", "b": "2", None: "8"}
    both = [
        (r["customer"], r["group"]["model"], r["quantity"]) for r in api.october("tokens", group_by="customer,model")
    ]
    assert both == [("acme", "a", "1"), ("acme", "b", "2"), ("globex", "a", "4"), ("globex", None, "8")]
    assert api.quantity("tokens", agent="x") == "3"


def test_unique_count_of_a_month_is_not_the_sum_of_its_days(api: Api, event: Build) -> None:
    api.meter("tasks", event_type="agent.turn", aggregation="unique_count", value="data.task_id")
    days = [("2026-10-03", "t1"), ("2026-10-03", "t2"), ("2026-10-04", "t1")]
    api.post(
        "events", [event(f"e{i}", time=f"{day}T12:00:00Z", data={"task_id": t}) for i, (day, t) in enumerate(days)]
    )
    assert [row["quantity"] for row in api.october("tasks", window="day")] == ["2", "1"]
    assert api.quantity("tasks") == "2"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"from": "yesterday"}, "from_invalid"),
        ({"to": "2026-09-01T00:00:00Z"}, "period_invalid"),
        ({"from": "2026-10-01"}, "from_invalid"),
        ({"window": "week"}, "window_invalid"),
        ({"timezone": "Mars/Olympus"}, "timezone_invalid"),
        ({"group_by": "colour"}, "dimension_unknown"),
        ({"colour": "red"}, "parameter_unknown"),
        ({"window": "minute", "to": "2027-10-01T00:00:00Z"}, "too_many_windows"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(api: Api, parameters: dict[str, str], code: str) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    span = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    answer = api.get("meters/turns/usage", **(span | parameters))
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_usage_of_an_unknown_meter_is_not_found(api: Api) -> None:
    answer = api.get("meters/nope/usage")
    assert (answer.status_code, answer.json()["code"]) == (404, "meter_not_found")


@pytest.mark.django_db(transaction=True)
def test_a_changed_meter_counts_all_of_history_by_its_new_version(api: Api, event: Build) -> None:
    from metering.facade import advance_projections

    api.meter("turns", event_type="agent.turn", aggregation="count")
    api.post("events", [event(f"e{i}", data={"n": i}) for i in range(4)])
    advance_projections()
    assert api.get("meters/turns").json()["projection"] == {"state": "live", "progress": "1"}
    definition = {"event_type": "agent.turn", "aggregation": "sum", "value": "data.n"}
    changed = api.post("meters/turns/versions", definition)
    assert (changed.status_code, changed.json()["version"], changed.json()["aggregation"]) == (201, 2, "sum")
    assert api.post("meters/turns/versions", definition).json()["version"] == 2
    assert api.get("meters/turns").json()["projection"] == {"state": "building", "progress": "0"}
    assert api.quantity("turns") == "6"
    advance_projections()
    assert api.get("meters/turns").json()["projection"]["state"] == "live"
    assert api.quantity("turns") == "6"
