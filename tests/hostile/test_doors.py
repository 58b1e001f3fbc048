"""Control characters are refused in every text that the API takes, as its schema lists them, and in every form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.test import RequestFactory
from drf_spectacular.generators import SchemaGenerator

from accounts.facade import create_user
from kernel.clock import system_clock
from tests.api import Api
from tests.hostile.addressed import addressed

pytestmark = pytest.mark.django_db

BROKEN = "Acme\r=1+1"

#: Texts that come from events and have to match them, or are data themselves: they are taken as they are.
AS_SENT = {
    "POST /api/v1/events/void": {"/source", "/id"},
    "POST /api/v1/events/amend": {"/source", "/id", "/event"},
    "POST /api/v1/tasks": {"/input"},
    "POST /api/v1/entitlements/check": {"/customer", "/agent", "/dimensions"},
    "POST /api/v1/reservations/{reservation}/commit": {"/events/0/source", "/events/0/id"},
}
#: Operations whose body is data as a whole, or has no shape that the schema could say.
FREE = {
    *("POST /api/v1/events", "POST /api/v1/pricing/calculate", "POST /v1/traces", "POST /v1/logs"),
    *("POST /v1/chat/completions", "POST /v1/completions", "POST /v1/embeddings"),
}
#: Strings that no text fits: they are read as what they say, and refused as that.
NO_TEXT = {"date-time", "date", "decimal"}


def operations() -> dict[str, dict[str, Any]]:
    """The bodies that operations take, as JSON schemas without references."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    parts = schema["components"]["schemas"]

    def whole(one: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in one:
            one = parts[one["$ref"].rpartition("/")[2]]
        for name in ("allOf", "oneOf", "anyOf"):
            if name in one:
                kept = next((part for part in one[name] if "$ref" in part or part.get("type")), {})
                one = {**one, **whole(kept)}
        return one

    def opened(one: dict[str, Any]) -> dict[str, Any]:
        one = dict(whole(one))
        if "properties" in one:
            one["properties"] = {name: opened(part) for name, part in one["properties"].items()}
        if "items" in one:
            one["items"] = opened(one["items"])
        return one

    found = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                found[f"{method.upper()} {path}"] = opened(content["application/json"]["schema"])
    return found


def broken_bodies(schema: dict[str, Any], pointer: str = "") -> Iterator[tuple[str, Any]]:
    """A body for each text of `schema`, in which that text alone is broken, with a pointer to it."""
    if "properties" in schema:
        for name, part in schema["properties"].items():
            if not part.get("readOnly"):
                for where, value in broken_bodies(part, f"{pointer}/{name}"):
                    yield where, {name: value}
    elif schema.get("type") == "array" or "items" in schema:
        for where, value in broken_bodies(schema["items"], f"{pointer}/0"):
            yield where, [value]
    elif schema.get("type") == "object":
        yield pointer, {"a": BROKEN}
    elif schema.get("format") in NO_TEXT or "enum" in schema:
        return
    elif "type" not in schema or "string" in schema["type"]:
        yield pointer, BROKEN


@pytest.fixture
def furnished(api: Api) -> tuple[Api, dict[str, str]]:
    """A client, and what is put for the parameters of addresses."""
    return api, addressed(api)


def test_every_text_of_the_schema_refuses_control_characters(furnished: tuple[Api, dict[str, str]]) -> None:
    api, examples = furnished
    api.client.raise_request_exception = False
    found, wrong, free = 0, [], set()
    for operation, schema in operations().items():
        method, _, path = operation.partition(" ")
        for pointer, body in broken_bodies(schema):
            if not pointer:
                free.add(operation)
                continue
            address = path.removeprefix("/api/v1/").format_map(examples)
            send = api.patch if method == "PATCH" else api.put if method == "PUT" else api.post
            answer = send(address, body)
            codes = {one["pointer"]: one["code"] for one in answer.json().get("errors", [])} if answer.content else {}
            top = f"/{pointer.split('/')[1]}"
            is_refused = "text_invalid" in {codes.get(pointer), codes.get(pointer.removesuffix("/0")), codes.get(top)}
            if is_refused == (pointer in AS_SENT.get(operation, ())):
                wrong.append((operation, pointer, answer.status_code, answer.content[:200]))
            found += 1
    assert not wrong, "\n".join(map(str, wrong))
    assert free == FREE
    assert found > 100  # texts: the sweep sees them


def test_what_is_taken_as_it_comes_is_still_in_the_schema() -> None:
    texts = {operation: {pointer for pointer, _ in broken_bodies(one)} for operation, one in operations().items()}
    for operation, pointers in AS_SENT.items():
        assert pointers <= texts[operation], operation


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\t", "\n", "\r", "\x85", "\u2028", "\u2029", "\u202e"])
def test_a_customer_s_name_is_refused_with_the_character_it_holds(api: Api, character: str) -> None:
    answer = api.post("customers", {"key": "acme", "name": f"Acme{character}"})
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/name", "text_invalid")
    assert f"U+{ord(character):04X}" in fault["detail"]


def test_half_a_surrogate_pair_is_no_json(api: Api) -> None:
    answer = api.post("customers", {"key": "acme", "name": "Acme\ud800"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_every_text_of_the_administration_refuses_control_characters(api: Api) -> None:
    request = RequestFactory().get("/admin/")
    request.user = create_user(email="root@example.com", password="checker cab 1971", is_superuser=True)
    found, wrong = 0, []
    for model, one in admin.site._registry.items():
        if not one.has_change_permission(request):
            continue
        for name, field in one.get_form(request, change=True).base_fields.items():
            is_secret = isinstance(field.widget, forms.PasswordInput)  # kept as a hash
            if not isinstance(field, forms.CharField) or isinstance(field, forms.JSONField) or is_secret:
                continue
            found += 1
            try:
                field.clean("a\x1bb\ra")
            except forms.ValidationError:
                continue
            wrong.append((model, name))
    assert not wrong
    assert found > 5


def test_events_with_control_characters_are_kept(api: Api) -> None:
    """Event data must not be lost, whatever an agent was called."""
    event = {
        "specversion": "1.0", "id": "1", "source": "s", "type": "agent.turn", "subject": "acme",
        "time": system_clock().isoformat(), "data": {"agent": BROKEN, "task_id": BROKEN},
    }  # fmt: skip
    assert api.post("events", [event]).json()["accepted"] == 1
    assert api.get("events").json()["data"][0]["data"]["agent"] == BROKEN
