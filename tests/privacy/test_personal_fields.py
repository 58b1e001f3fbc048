"""Personal fields of events: encrypted in the log, read by those who may, equal where they were equal."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from tests.api import Api
from tests.privacy.dump import tables_with

MARKER = "zzqmarker"
SPAN = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}


def event(number: int, customer: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "id": f"{customer}-{number}", "source": "test", "type": "agent.turn",
            "subject": customer, "time": f"2026-10-{number + 1:02d}T10:00:00Z", "data": data}  # fmt: skip


def declare(api: Api, *paths: str) -> Any:
    return api.patch("privacy_policy", {"personal_fields": [{"event_type": "*", "path": path} for path in paths]})


def test_declared_fields_are_encrypted_counted_grouped_and_read(api: Api) -> None:
    assert declare(api, "data.user.email").status_code == 200
    api.customer("acme")
    api.meter("people", event_type="agent.turn", aggregation="unique_count", value="data.user.email")
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"user": "data.user.email"})
    events = [event(n, "acme", {"user": {"email": f"{MARKER}{n % 2}", "n": 0.10}, "x": 1.50}) for n in range(5)]
    body = json.dumps(events).replace("1.5}", "1.50}").replace("0.1}", "0.10}").encode()
    assert api.post("events", body).json()["accepted"] == 5
    assert api.post("events", body).json()["duplicates"] == 5
    changed = [events[0] | {"data": {"user": {"email": "other", "n": 0.10}, "x": 1.50}}]
    assert api.post("events", changed).json()["rejected"][0]["code"] == "id_conflict"
    assert tables_with(MARKER) == {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT (data - 'user')::text, data -> 'user' ->> 'n' FROM metering_usageevent")
        assert cursor.fetchall() == [('{"x": 1.50}', "0.10")]  # the very numbers
    assert api.get("meters/people/usage", **SPAN, customer="acme").json()["data"][0]["quantity"] == "2"
    rows = api.get("meters/turns/usage", **SPAN, customer="acme", group_by="user").json()["data"]
    assert {row["group"]["user"]: row["quantity"] for row in rows} == {f"{MARKER}0": "3", f"{MARKER}1": "2"}
    assert api.get("events").json()["data"][0]["data"] == {"user": {"email": f"{MARKER}0", "n": 0.1}, "x": 1.5}


def test_a_field_that_a_meter_sums_or_filters_by_cannot_be_personal(api: Api) -> None:
    api.meter("tokens", event_type="agent.turn", aggregation="sum", value="data.tokens")
    answer = declare(api, "data.tokens", "tokens")
    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["errors"]] == ["field_is_metered", "invalid"]
    assert api.get("privacy_policy").json() == {"retention_years": 10, "personal_fields": []}
    assert declare(api, "data.user").status_code == 200
    for use in ({"value": "data.user.age", "aggregation": "sum"},
                {"filters": [{"path": "data.user", "op": "eq", "value": "x"}], "aggregation": "count"}):  # fmt: skip
        refused = api.post("meters", {"key": "m", "event_type": "agent.turn", **use})
        assert (refused.status_code, refused.json()["code"]) == (422, "field_is_personal")
    assert declare(api).status_code == 200
    assert api.patch("privacy_policy", {"retention_years": 31}).status_code == 422
    assert api.patch("privacy_policy", {"retention_years": 8}).json()["retention_years"] == 8


def test_another_organization_reads_nothing_by_a_token_it_was_given(api: Api, another_api: Api) -> None:
    declare(api, "data.user")
    api.post("events", [event(1, "acme", {"user": MARKER})])
    with connection.cursor() as cursor:
        cursor.execute("SELECT data ->> 'user' FROM metering_usageevent")
        [(token,)] = cursor.fetchall()
    another_api.post("events", [event(1, "acme", {"user": token})])
    assert another_api.get("events").json()["data"][0]["data"] == {"user": token}
