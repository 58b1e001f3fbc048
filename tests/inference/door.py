"""An organization's way in through the OpenAI-compatible door, for tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai

from accounts.facade import ApiKey, Organization, create_api_key, create_organization
from metering.facade import EventQuestion, EventView, list_events
from tests.inference.engine_process import Engine

HEADERS = {"X-Customer": "acme", "X-Agent": "support@3", "X-Task-Id": "ticket-1", "X-Turn-Id": "ticket-1/turn-1"}
MESSAGES: list[Any] = [{"role": "user", "content": "Name a colour"}]


@dataclass
class Door:
    """An organization's way in: the address of a web server and an API key."""

    organization: Organization
    key: ApiKey
    secret: str
    address: str
    model: str

    def client(self, **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.address}/v1", api_key=self.secret, max_retries=0, **options)

    def events(self) -> list[EventView]:
        found, _ = list_events(EventQuestion(organization_id=self.organization.pk), limit=100)
        return found[::-1]


def point_door_at(settings, engine: Engine) -> Iterator[Engine]:
    settings.ENGINE_SOCKET = str(engine.socket)
    yield engine


def door_at(address: str, model: str) -> Door:
    organization = create_organization(name="Vendor")
    key, secret = create_api_key(organization=organization, name="agents", scopes=["ingest"])
    return Door(organization, key, secret, address, model)


def wait_for_event(door: Door) -> EventView:
    deadline = time.monotonic() + 30
    while not (events := door.events()):
        assert time.monotonic() < deadline, "the call was not recorded"
        time.sleep(0.05)
    assert len(events) == 1
    return events[0]
