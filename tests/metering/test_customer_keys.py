"""API keys bound to a customer send that customer's events, through every door, and do nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.facade import create_api_key
from inference.api.metered_call import call_of
from kernel.errors import ForbiddenError
from tests.api import Api

SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "chat tiny",
    "startTimeUnixNano": "1790848800000000000",
    "endTimeUnixNano": "1790848801000000000",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "tiny"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "3"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "4"}},
    ],
}


@pytest.fixture
def acme(api: Api) -> Api:
    """A client with a key bound to the customer `acme`."""
    _, secret = create_api_key(organization=api.organization, scopes=["ingest"], customer="acme")
    return Api(api.organization, Client(headers={"authorization": f"Bearer {secret}"}))


def event(number: int, subject: str | None) -> dict[str, Any]:
    found = {"specversion": "1.0", "id": f"e-{number}", "source": "edge", "type": "agent.turn", "data": {}}
    return found if subject is None else {**found, "subject": subject}


def test_events_of_others_and_of_nobody_are_rejected_and_its_own_accepted(acme: Api, api: Api) -> None:
    answer = acme.post("events", [event(1, "acme"), event(2, "birch"), event(3, None), event(4, "Acme")]).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 0)
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (1, "customer_not_allowed"),
        (2, "customer_not_allowed"),
        (3, "customer_not_allowed"),
    ]
    assert acme.post("events", event(5, "birch")).json()["accepted"] == 0
    assert [one["id"] for one in api.get("events").json()["data"]] == ["e-1"]


def test_all_or_nothing_is_nothing_with_an_event_of_another(acme: Api, api: Api) -> None:
    answer = acme.post("events", [event(1, "acme"), event(2, "birch")], prefer="handling=strict")
    assert answer.status_code == 422
    assert api.get("events").json()["data"] == []


def test_spans_count_for_the_customer_of_the_key(acme: Api, api: Api) -> None:
    def send(resource: dict[str, str]) -> Any:
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
        spans = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [SPAN]}]}]}
        return acme.client.post("/v1/traces", data=json.dumps(spans), content_type="application/json").json()

    refused = send({"taximeter.customer": "birch"})
    assert refused["partialSuccess"]["rejectedSpans"] == "1"
    assert "customer_not_allowed" in refused["partialSuccess"]["errorMessage"]
    assert send({}) == {}
    assert {one["subject"] for one in api.get("events").json()["data"]} == {"acme"}


def test_calls_of_the_model_are_the_customer_s_and_nobody_else_s() -> None:
    assert call_of({}, organization_id=1, sent_by="key_1", only_customer="acme")["customer"] == "acme"
    assert (
        call_of({"X-Customer": "acme"}, organization_id=1, sent_by="key_1", only_customer="acme")["customer"] == "acme"
    )
    assert call_of({"X-Customer": "birch"}, organization_id=1, sent_by="key_1")["customer"] == "birch"
    with pytest.raises(ForbiddenError) as caught:
        call_of({"X-Customer": "birch"}, organization_id=1, sent_by="key_1", only_customer="acme")
    assert caught.value.code == "customer_not_allowed"


@pytest.mark.parametrize("path", ["customers", "events", "invoices", "meters", "tasks"])
def test_nothing_is_read_with_it(acme: Api, path: str) -> None:
    assert acme.get(path).status_code == 403
    assert acme.post("events/void", {"source": "edge", "id": "e-1", "reason": "x"}).status_code == 403
