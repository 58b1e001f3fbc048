"""The export of a customer holds everything that is known of it, in one document."""

from __future__ import annotations

import json

from tests.api import Api, make_api
from tests.privacy.furnished import BOOKS, KEY, MARKER, furnish


def test_an_export_holds_all_that_is_held(api: Api) -> None:
    customer = furnish(api)
    answer = api.get(f"customers/{KEY}/export")
    assert answer.status_code == 200
    held = json.loads(b"".join(answer.streaming_content))
    assert held["customer"]["email"] == f"{MARKER}@example.com"
    assert len(held["events"]) == 7
    assert held["events"][0]["data"]["goal"] == f"{MARKER} goal"
    assert {event["data"].get("user_email") for event in held["events"]} >= {f"{MARKER}0@example.com"}
    [invoice] = held["invoices"]
    assert invoice["buyer"]["name"] == f"{MARKER} Person"
    assert [payment["reference"] for payment in held["payments"]] == [f"{BOOKS} reference"]
    assert [subscription["plan"] for subscription in held["subscriptions"]] == ["plan"]
    for name in ("credit_grants", "charges", "budgets", "portal_links", "api_keys", "mails", "webhook_events"):
        assert held[name], name
    created = next(entry for entry in held["audit_entries"] if entry["action"] == "customer.create")
    assert created["detail"]["name"] == f"{MARKER} Before"
    [entry] = api.get("audit_entries", action="customer.export").json()["data"]
    assert entry["target"] == customer.pk


def test_only_keys_that_may_manage_privacy_open_any_of_it(api: Api) -> None:
    api.customer(KEY)
    reader = make_api("Another", scope="write")
    assert reader.get("privacy_policy").json()["code"] == "scope_missing"
    reader.customer(KEY)
    for action in ("anonymize", "erase", "merge"):
        assert reader.post(f"customers/{KEY}/{action}", {}).json()["code"] == "scope_missing"
    assert reader.get(f"customers/{KEY}/export").json()["code"] == "scope_missing"
    other = make_api("Third")
    for action in ("anonymize", "erase"):
        assert other.post(f"customers/{KEY}/{action}", {}).status_code == 404
    assert other.get(f"customers/{KEY}/export").status_code == 404
