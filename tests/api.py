"""A client of the API for tests."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from accounts.facade import Organization, create_api_key, create_organization


@dataclass
class Api:
    """A client of one organization's API."""

    organization: Organization
    client: Client

    def post(self, path: str, body: Any, *, content_type: str = "application/json", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(f"/api/v1/{path}", data=data, content_type=content_type, headers=headers)

    def post_gzip(self, path: str, body: bytes) -> Any:
        return self.post(path, gzip.compress(body), **{"content-encoding": "gzip"})

    def get(self, path: str, **parameters: str) -> Any:
        return self.client.get(f"/api/v1/{path}", parameters)

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(f"/api/v1/{path}", data=json.dumps(body), content_type="application/json")

    def put(self, path: str, body: Any) -> Any:
        return self.client.put(f"/api/v1/{path}", data=json.dumps(body), content_type="application/json")

    def meter(self, key: str, **definition: Any) -> None:
        assert self.post("meters", {"key": key, **definition}).status_code == 201

    def customer(self, key: str, **fields: Any) -> None:
        assert self.post("customers", {"key": key, **fields}).status_code == 201

    def october(self, meter: str, **parameters: str) -> list[dict[str, Any]]:
        """The usage of October 2026, UTC."""
        span = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
        answer = self.get(f"meters/{meter}/usage", **(span | parameters))
        assert answer.status_code == 200, answer.content
        return answer.json()["data"]

    def quantity(self, meter: str, **parameters: str) -> str:
        [row] = self.october(meter, **parameters)
        return row["quantity"]


def make_api(name: str, scope: str = "admin") -> Api:
    organization = create_organization(name=name)
    _, secret = create_api_key(organization=organization, scopes=[scope])
    return Api(organization, Client(headers={"authorization": f"Bearer {secret}"}))
