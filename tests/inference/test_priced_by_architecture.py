"""A transformer and a Mamba model in one engine: loaded, run, metered, and priced by what they are."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from kernel.clock import system_clock
from tests.api import make_api
from tests.inference.door import MESSAGES, Door, point_door_at
from tests.inference.engine_process import MODELS, Engine, start_engine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def both() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-llama.gguf", "--model", str(MODELS / "tiny-mamba.gguf"))
    yield engine
    engine.stop()


def test_each_architecture_has_its_price(settings, both, live_server):
    api = make_api("Vendor")
    api.meter(
        "tokens", event_type="inference.call", aggregation="sum", value="data.output_tokens",
        dimensions={"architecture": "data.architecture"},
    )  # fmt: skip
    cells = [
        {"where": {"architecture": "llama"}, "unit_amount": "0.10"},
        {"where": {"architecture": "mamba"}, "unit_amount": "0.03"},
    ]
    model = {"type": "matrix", "dimensions": ["architecture"], "cells": cells}
    price = {"key": "t", "name": "Tokens", "kind": "usage", "meter": "tokens", "model": model}
    assert api.post("plans", {"key": "p", "name": "P", "currency": "USD", "prices": [price]}).status_code == 201
    api.customer("acme")
    month = system_clock().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    subscription = {"customer": "acme", "plan": "p", "starts_at": month.isoformat()}
    assert api.post("subscriptions", subscription).status_code == 201
    secret = api.client.defaults.get("HTTP_AUTHORIZATION") or api.client.headers["authorization"]
    door = Door(api.organization, None, secret.removeprefix("Bearer "), live_server.url, both.model)
    for _ in point_door_at(settings, both):
        with door.client(default_headers={"X-Customer": "acme"}) as client:
            for name in ("tiny-random-llama", "tiny-random-mamba"):
                body = {"model": name, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
                assert client.chat.completions.create(**body).choices[0].finish_reason == "length"
    metered = {event.data["architecture"]: event.data["output_tokens"] for event in door.events()}
    assert metered == {"llama": 8, "mamba": 8}
    upcoming = api.get("customers/acme/upcoming_invoice").json()
    assert Decimal(upcoming["total"]) == Decimal("1.04")  # 8 of 0.10 and 8 of 0.03
