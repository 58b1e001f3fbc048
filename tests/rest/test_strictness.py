"""Every operation that the OpenAPI document lists refuses what it does not read, before it does or finds anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.api import Api
from tests.rest.openapi import body_schema, call, operation, operations, resolved

#: Bodies that are read by other rules: events, files, a price calculator whose errors name their own pointers.
_OTHER_BODIES = {"POST /api/v1/events", "PUT /api/v1/seller_profile/logo"}


def _bodies_with_an_unknown_field(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(pointer, body): one with an unknown field at the top, and one in each object that the body may hold."""
    yield "/no_such_field", {"no_such_field": 1}
    for name, value in ((name, resolved(value)) for name, value in schema.get("properties", {}).items()):
        if value.get("type") == "array" and resolved(value["items"]).get("properties"):
            for pointer, inner in _bodies_with_an_unknown_field(resolved(value["items"])):
                yield f"/{name}/0{pointer}", {name: [inner]}
        elif value.get("properties"):
            for pointer, inner in _bodies_with_an_unknown_field(value):
                yield f"/{name}{pointer}", {name: inner}


def test_every_operation_refuses_an_unknown_parameter(api: Api) -> None:
    answers = {f"{method} {path}": call(api, method, path, "?no_such_parameter=1") for method, path in operations()}
    codes = {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()}
    # Their parameters are the dimensions of the meter, which is looked for first.
    assert codes.pop("get /api/v1/meters/{meter}/usage") == (404, "meter_not_found")
    assert codes.pop("get /api/v1/meters/{meter}/usage/stream") == (404, "meter_not_found")
    assert {name: code for name, code in codes.items() if code != (422, "parameter_unknown")} == {}
    assert len(codes) > 100


def test_every_operation_refuses_an_unknown_field(api: Api) -> None:
    wrong = {}
    for method, path in operations():
        if method == "get" or f"{method.upper()} {path}" in _OTHER_BODIES:
            continue
        schema = body_schema(method, path)
        for pointer, body in _bodies_with_an_unknown_field(resolved(schema) if schema else {}):
            answer = call(api, method, path, body=body)
            found = {(each["pointer"], each["code"]) for each in answer.json().get("errors", ())}
            if answer.status_code != 422 or (pointer, "unknown_field") not in found:
                wrong[f"{method} {path} {pointer}"] = answer.content
    assert wrong == {}


def test_every_documented_parameter_is_known(api: Api) -> None:
    for method, path in operations():
        for parameter in operation(method, path).get("parameters", []):
            if parameter["in"] == "query":
                answer = call(api, method, path, f"?{parameter['name']}=1")
                assert answer.status_code < 500, (path, parameter["name"])
                assert b"parameter_unknown" not in getattr(answer, "content", b""), (path, parameter["name"])


def test_a_parameter_that_comes_twice_is_refused(api: Api) -> None:
    answer = api.client.get("/api/v1/invoices?status=paid&status=open")
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_repeated")


def test_models_doors_accept_what_vendors_clients_send(api: Api) -> None:
    assert api.client.get("/v1/models?beta=true").status_code != 422
    assert api.client.post("/v1/traces?beta=true", "{}", content_type="application/json").status_code == 200
