"""All that one API key sent is taken back: previewed, in batches, killed half-way, from archives, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.facade import create_api_key
from kernel.period import Month
from metering.facade import attach_month, detach_month, ingest
from metering.models import EventCorrection, VoidRun
from metering.services import void_runs
from tests.api import Api

pytestmark = pytest.mark.django_db

START = datetime(2026, 10, 1, tzinfo=UTC)
ALL = {"from": "2026-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"}


def event(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"e{number}", "source": "edge/1", "type": "call",
        "subject": "acme" if number % 2 else "birch", "time": "2026-10-05T00:00:00Z", "data": {"n": 2},
    } | changes  # fmt: skip


class Thief:
    """A second key of the organization, which sends."""

    def __init__(self, api: Api) -> None:
        self.organization = api.organization
        self.key, self.secret = create_api_key(organization=self.organization, scopes=["ingest"], name="Stolen")
        self.client = Client(HTTP_AUTHORIZATION=f"Bearer {self.secret}")

    def send(self, *events: dict[str, Any]) -> None:
        answer = self.client.post("/api/v1/events", json.dumps(list(events)), content_type="application/json")
        assert answer.json()["accepted"] == len(events)

    def asked(self, **changes: Any) -> dict[str, Any]:
        return {"sent_by": self.key.pk, **ALL} | changes


@pytest.fixture
def thief(api: Api) -> Thief:
    meter = {"key": "n", "event_type": "call", "aggregation": "sum", "value": "data.n", "unit": "units"}
    assert api.post("meters", meter).status_code == 201
    assert api.post("meters", {"key": "calls", "event_type": "call", "aggregation": "count"}).status_code == 201
    return Thief(api)


def quantity(api: Api, meter: str = "n") -> str:
    asked = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    return str(api.get(f"meters/{meter}/usage", **asked).json()["data"][0]["quantity"])


def void_entries(api: Api) -> list[dict[str, Any]]:
    return list(api.get("audit_entries", action="event").json()["data"])


def test_a_preview_counts_and_changes_nothing(api: Api, thief: Thief) -> None:
    thief.send(*[event(n) for n in range(5)], event(5, type="other", subject=None, time="2026-09-01T00:00:00Z"))
    assert api.post("events", event(90)).status_code == 200
    assert api.post("events/void", {"source": "edge/1", "id": "e0", "reason": "r"}).status_code == 200
    answer = api.post("events/void", thief.asked(preview=True, reason="stolen"))
    assert answer.status_code == 200
    found = answer.json()
    assert (found["events"], found["already_voided"], found["to_void"], found["on_issued_invoices"]) == (6, 1, 5, 0)
    assert found["customers"] == [
        {"customer": "acme", "events": 2}, {"customer": "birch", "events": 2}, {"customer": None, "events": 1},
    ]  # fmt: skip
    assert found["types"] == [{"type": "call", "events": 4}, {"type": "other", "events": 1}]
    assert found["meters"] == [
        {"meter": "n", "unit": "units", "aggregation": "sum", "events": 4, "quantity": "8"},
        {"meter": "calls", "unit": "", "aggregation": "count", "events": 4, "quantity": "4"},
    ]
    assert (found["first_time"], found["last_time"]) == ("2026-09-01T00:00:00Z", "2026-10-05T00:00:00Z")
    assert quantity(api) == "10"  # e1 to e4, and the vendor's own
    assert not VoidRun.objects.exists()


def test_it_is_done_once_with_one_entry_in_the_audit_trail(api: Api, thief: Thief) -> None:
    thief.send(*[event(n) for n in range(5)])
    assert api.post("events", event(90)).status_code == 200
    first = api.post("events/void", thief.asked(reason="stolen")).json()
    assert (first["status"], first["events"], first["voided"]) == ("finished", 5, 5)
    again = api.post("events/void", thief.asked(reason="stolen")).json()
    assert again == first
    assert quantity(api) == "2"
    assert [one["voided"] for one in api.get("events", sent_by=thief.key.pk).json()["data"]] == [True] * 5
    [entry] = void_entries(api)
    assert (entry["action"], entry["target"], entry["detail"]["events"]) == ("event.void_all", thief.key.pk, 5)
    assert api.get(f"void_runs/{first['id']}").json() == first
    assert api.get("void_runs").json()["data"] == [first]
    thief.send(event(6))  # the key still works: what it sends now is another run
    second = api.post("events/void", thief.asked(reason="stolen")).json()
    assert (second["voided"], second["id"] == first["id"]) == (1, False)
    assert quantity(api) == "2"


def test_what_waits_in_quarantine_is_previewed_discarded_and_never_released(
    api: Api, thief: Thief, settings: Any
) -> None:
    settings.EVENT_LOOK_BACK_DAYS = 365
    thief.send(event(0))
    old = [event(n, time="2015-03-01T00:00:00Z") for n in (1, 2, 3)]
    body = json.dumps(old)
    sent = thief.client.post("/api/v1/events", body, content_type="application/json").json()
    assert [one["code"] for one in sent["quarantined"]] == ["time_too_old"] * 3
    waiting = {one["event"]["id"]: one["id"] for one in api.get("quarantined_events").json()["data"]}
    assert api.post(f"quarantined_events/{waiting['e1']}/release", {}).status_code == 200
    assert api.post(f"quarantined_events/{waiting['e2']}/discard", {}).status_code == 200
    found = api.post("events/void", thief.asked(preview=True)).json()
    numbers = [found[name] for name in ("events", "already_voided", "to_void", "quarantined")]
    assert numbers == [4, 1, 3, 1]  # e0 and e1 in the log, e3 in quarantine; e2 is discarded
    assert found["types"] == [{"type": "call", "events": 3}]
    assert [(one["meter"], one["events"]) for one in found["meters"]] == [("n", 2), ("calls", 2)]

    run = api.post("events/void", thief.asked(reason="stolen")).json()
    assert (run["status"], run["events"], run["voided"]) == ("finished", 3, 3)
    assert api.post("events/void", thief.asked(reason="stolen")).json() == run
    states = {
        one["event"]["id"]: (one["state"], one["decision_reason"])
        for one in api.get("quarantined_events", state="all").json()["data"]
    }
    assert states == {"e1": ("released", None), "e2": ("discarded", None), "e3": ("discarded", "stolen")}
    assert api.post(f"quarantined_events/{waiting['e3']}/release", {}).json()["code"] == "quarantine_decided"
    assert thief.client.post("/api/v1/events", body, content_type="application/json").json()["duplicates"] == 3
    assert quantity(api) == "0"
    assert [one["action"] for one in void_entries(api)] == ["event.void_all"]


def test_time_is_that_of_receipt(api: Api, thief: Thief) -> None:
    for day in range(3):
        ingest(
            organization_id=thief.organization.pk,
            events=[event(day, time="2020-01-01T00:00:00Z")],
            received_at=START + timedelta(days=day),
            sent_by=thief.key.pk,
        )
    asked = thief.asked(reason="r") | {"from": "2026-10-02T00:00:00Z", "to": "2026-10-03T00:00:00Z"}
    assert api.post("events/void", asked).json()["voided"] == 1
    assert [one.sent_id for one in EventCorrection.objects.all()] == ["e1"]


def test_what_makes_no_sense_is_refused(api: Api, another_api: Api, thief: Thief) -> None:
    thief.send(event(1))
    refused = {
        "sender_not_found": thief.asked(sent_by="key_unknown", reason="r"),
        "period_invalid": thief.asked(reason="r") | {"from": ALL["to"], "to": ALL["from"]},
    }
    for code, body in refused.items():
        for preview in ({}, {"preview": True}):
            answer = api.post("events/void", body | preview)
            assert (answer.status_code in {404, 422}, answer.json()["code"]) == (True, code)
    incomplete: list[dict[str, Any]] = [
        thief.asked(), {"sent_by": thief.key.pk, "reason": "r"}, {"source": "edge/1", "id": "e1"}, {},
        thief.asked(reason="r", id="e1"), {"source": "edge/1", "id": "e1", "reason": "r", "preview": True},
        thief.asked(reason="r", surprise=1),
    ]  # fmt: skip
    assert [api.post("events/void", body).status_code // 100 for body in incomplete] == [4] * len(incomplete)
    assert another_api.post("events/void", thief.asked(reason="r")).status_code == 404
    assert thief.client.post(
        "/api/v1/events/void", json.dumps(thief.asked(reason="r")), content_type="application/json"
    ).status_code == 403  # fmt: skip
    assert not EventCorrection.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_issued_invoices_are_counted(api: Api, thief: Thief) -> None:
    assert api.post("customers", {"key": "acme", "currency": "USD"}).status_code == 201
    price = {"key": "n", "kind": "usage", "meter": "n", "model": {"type": "per_unit", "unit_amount": "1"}}
    plan = {"key": "p", "currency": "USD", "interval": "month", "prices": [price]}
    assert api.post("plans", plan).status_code == 201
    body = {"customer": "acme", "plan": "p", "starts_at": "2026-10-01T00:00:00Z"}
    assert api.post("subscriptions", body).status_code == 201
    thief.send(*[event(n) for n in range(4)])  # two of acme's
    from billing.facade import close_month

    close_month(organization=thief.organization, month=Month(2026, 10), now=datetime(2026, 11, 5, tzinfo=UTC))
    invoice = api.get("invoices").json()["data"][0]
    if invoice["status"] == "draft":
        assert api.post(f"invoices/{invoice['id']}/finalize", {}).status_code == 200
    thief.send(event(7))  # after the invoice
    preview = api.post("events/void", thief.asked(preview=True)).json()
    assert (preview["to_void"], preview["on_issued_invoices"]) == (5, 2)
    assert api.post("events/void", thief.asked(reason="r")).json()["voided"] == 5
    after = api.get(f"invoices/{invoice['id']}").json()
    assert after["total"] == "4.00"
    assert api.post("events/void", thief.asked(preview=True)).json()["on_issued_invoices"] == 0


def test_many_are_taken_back_in_batches_that_can_be_killed(api: Api, thief: Thief, monkeypatch: Any) -> None:
    monkeypatch.setattr(void_runs, "BATCH", 3)
    thief.send(*[event(n) for n in range(20)])
    first = api.post("events/void", thief.asked(reason="stolen")).json()
    assert (first["status"], first["events"], first["voided"]) == ("running", 20, 9)
    with pytest.raises(RuntimeError):
        _killed(first["id"], monkeypatch)
    assert VoidRun.objects.get().voided == 9  # the batch under way is undone with its transaction
    assert api.post("events/void", thief.asked(reason="stolen")).json()["id"] == first["id"]
    other = thief.asked(reason="r") | {"from": "2025-01-01T00:00:00Z"}
    assert api.post("events/void", other).json()["code"] == "void_run_active"
    assert void_runs.void_runs_to_resume() == [first["id"]]
    assert void_runs.work_void_run(run_id=first["id"], now=START)
    run = api.get(f"void_runs/{first['id']}").json()
    assert (run["status"], run["voided"]) == ("finished", 20)
    assert EventCorrection.objects.count() == 20
    assert void_runs.void_runs_to_resume() == []
    assert len(void_entries(api)) == 1


def _killed(run_id: str, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:

        def die(*_: Any, **__: Any) -> None:
            raise RuntimeError

        patch.setattr(VoidRun, "save", die)
        void_runs.work_void_run(run_id=run_id, now=START)


@pytest.mark.django_db(transaction=True)
def test_archived_events_are_taken_back_where_they_are(api: Api, thief: Thief, settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_DIR = str(tmp_path)
    thief.send(*[event(n) for n in range(4)])
    assert api.post("events", event(90)).status_code == 200
    from metering.facade import advance_projections

    advance_projections()
    assert detach_month(month=Month(2026, 10), now=datetime(2026, 11, 3, tzinfo=UTC)) is not None
    thief.send(event(5))  # comes late, to the log
    preview = api.post("events/void", thief.asked(preview=True)).json()
    assert (preview["events"], preview["to_void"]) == (5, 5)
    assert api.post("events/void", thief.asked(reason="r")).json()["voided"] == 5
    assert quantity(api) == "2"
    attach_month(month=Month(2026, 10))
    assert quantity(api) == "2"
    assert api.post("events/void", thief.asked(preview=True)).json()["to_void"] == 0
