"""What the OpenAPI document says of every operation, and that answers are held to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse, JsonResponse

from tests.conformance import document

_EVERYWHERE = {"401", "403", "404", "422", "429", "503"}
_WITH_BODY = {"400", "408", "409", "413", "415"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document().schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_says_how_it_answers_and_how_it_refuses() -> None:
    found = operations()
    assert len(found) > 150
    for method, path, operation in found:
        responses = operation["responses"]
        successes = {status for status in responses if status.startswith("2")}
        assert len(successes) == 1, (method, path, successes)
        assert not {status for status in responses if not status.isdigit()}, (method, path)
        assert _EVERYWHERE | (set() if method == "get" else _WITH_BODY) <= set(responses), (method, path)
        if path.startswith("/api/"):
            problems = {tuple(responses[status]["content"]) for status in responses if status >= "400"}
            assert problems == {("application/problem+json",)}, (method, path)


def test_what_creates_answers_201_and_what_deletes_204() -> None:
    statuses = {
        f"{method} {path}": next(status for status in operation["responses"] if status.startswith("2"))
        for method, path, operation in operations()
    }
    assert statuses["post /api/v1/customers"] == "201"
    assert statuses["get /api/v1/customers"] == "200"
    assert statuses["delete /api/v1/webhook_endpoints/{endpoint}"] == "204"
    assert statuses["post /api/v1/tasks"] == "202"
    assert statuses["post /api/v1/invoices/{invoice}/pay"] == "200"


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("path", "response", "fault"),
    [
        ("/api/v1/customers", JsonResponse({"data": [], "next_cursor": None}), None),
        ("/api/v1/customers", JsonResponse({"data": []}), "200 at ''"),
        ("/api/v1/customers", JsonResponse({"data": [{}], "next_cursor": None}), "200 at 'data/0'"),
        ("/api/v1/customers", HttpResponse("", status=418), "status 418 is not described"),
        ("/api/v1/customers", HttpResponse("<html>"), "200 as 'text/html'"),
        ("/api/v1/customers", JsonResponse({"detail": "no"}, status=404), "404 as 'application/json'"),
        ("/no/such/path", HttpResponse(""), None),
    ],
)
def test_an_answer_that_the_document_does_not_describe_is_found(
    path: str, response: HttpResponse, fault: str | None
) -> None:
    found = document().faults("GET", path, response)
    assert (found is None) if fault is None else (found is not None and fault in found)
