"""Endpoints: made, rotated, disabled, replayed, by API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.facade import add_member, create_api_key, create_user
from accounts.models import AuditEntry
from notifications.models import Mail, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from notifications.services.endpoints import rotate_secret
from notifications.services.pruning import prune
from notifications.services.secrets import reveal_secret, unsealed
from rest.pagination import encode_cursor
from tests.api import Api
from tests.notifications.conftest import NOON, Post, Receiver

pytestmark = pytest.mark.django_db


def make(api: Api, url: str = "http://127.0.0.1:9000/hooks", **fields: Any) -> dict[str, Any]:
    answer = api.post("webhook_endpoints", {"url": url, **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_secret_is_shown_where_it_is_made_and_not_again(api: Api) -> None:
    made = make(api, description="ERP", event_types=["invoice.paid", "invoice.finalized"])
    assert made["secret"].startswith("whsec_")
    assert made["event_types"] == ["invoice.finalized", "invoice.paid"]
    [listed] = api.get("webhook_endpoints").json()["data"]
    assert "secret" not in listed
    assert "secret" not in api.get(f"webhook_endpoints/{made['id']}").json()
    changed = api.patch(f"webhook_endpoints/{made['id']}", {"description": "ERP 2", "event_types": []}).json()
    assert (changed["description"], changed["event_types"]) == ("ERP 2", [])
    rotated = api.post(f"webhook_endpoints/{made['id']}/rotate_secret", {}).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] is not None
    assert api.client.delete(f"/api/v1/webhook_endpoints/{made['id']}").status_code == 204
    assert api.get(f"webhook_endpoints/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url_refused"),
        ({"url": "https://user:password@example.com"}, "url_refused"),
        ({"url": "https://example.com", "event_types": ["invoice.lost"]}, "event_type_unknown"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(api: Api, fields: dict[str, Any], code: str) -> None:
    answer = api.post("webhook_endpoints", fields)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_plain_http_is_refused_where_it_is_not_allowed(api: Api, settings: Any) -> None:
    settings.WEBHOOK_HTTP = False
    assert api.post("webhook_endpoints", {"url": "http://example.com/"}).json()["code"] == "url_refused"


def test_endpoints_need_an_admin_and_belong_to_one_organization(api: Api, another_api: Api) -> None:
    made = make(api)
    assert another_api.get(f"webhook_endpoints/{made['id']}").status_code == 404
    assert another_api.post(f"webhook_endpoints/{made['id']}/rotate_secret", {}).status_code == 404
    _, secret = create_api_key(organization=api.organization, scopes=["write"])
    writer = Client(headers={"authorization": f"Bearer {secret}"})
    body = '{"url": "http://127.0.0.1:9000"}'
    assert writer.post("/api/v1/webhook_endpoints", body, content_type="application/json").status_code == 403
    assert writer.get("/api/v1/webhook_endpoints").status_code == 200


def test_after_a_rotation_both_secrets_sign_for_a_day(post: Post, receiver: Receiver) -> None:
    endpoint = post.listen(receiver)
    before = reveal_secret(endpoint)
    after = reveal_secret(rotate_secret(endpoint=endpoint, now=post.now))
    post.announce(1)
    post.later(hours=23).send()
    post.announce(2)
    post.later(hours=2).send()
    both, one = receiver.received
    assert both.is_signed_with(before)
    assert both.is_signed_with(after)
    assert not one.is_signed_with(before)
    assert one.is_signed_with(after)


def test_a_secret_is_encrypted_at_rest_and_one_that_cannot_be_read_sends_nothing(
    post: Post, receiver: Receiver, settings: Any
) -> None:
    endpoint = post.listen(receiver)
    assert "whsec_" not in endpoint.secret
    settings.PROVIDER_SECRETS_KEY, settings.SECRET_KEY = "", "another" * 10
    unsealed.cache_clear()
    post.announce(1)
    post.send()
    assert WebhookDelivery.objects.get().last_error == "secret_unreadable"
    assert not receiver.received


def test_an_endpoint_that_is_gone_hears_nothing_more_and_people_are_told(post: Post, receiver: Receiver) -> None:
    owner = create_user(email="owner@vendor.example", password="checker cab 1971")
    viewer = create_user(email="viewer@vendor.example", password="checker cab 1971")
    add_member(organization=post.api.organization, user=owner, role="owner")
    add_member(organization=post.api.organization, user=viewer, role="viewer")
    post.listen(receiver)
    post.announce(1, 2)
    receiver.answers(410)
    post.send()
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.enabled, endpoint.disabled_for, endpoint.disabled_at) == (False, "gone", NOON)
    assert set(WebhookDelivery.objects.values_list("status", "last_error")) == {
        ("failed", "endpoint_disabled"),
    }
    [mail] = Mail.objects.all()
    assert (mail.kind, mail.to) == ("webhook_disabled", ["owner@vendor.example"])
    post.announce(3)
    assert post.later(days=1).send() == 0
    assert len(receiver.received) == 1


def test_an_endpoint_is_disabled_after_days_of_failures_and_not_before(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    receiver.answers(500)
    for day in range(5):
        post.announce(day, subject=f"inv_{day}")
        post.send()
        assert WebhookEndpoint.objects.get().enabled
        post.later(days=1)
    post.announce(5, subject="inv_5")
    post.send()
    assert WebhookEndpoint.objects.get().disabled_for == "failing"


def test_one_delivery_that_arrives_ends_days_of_failures(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    receiver.answer = lambda one: (204 if one.number == 4 else 500, {}, b"")
    for day in range(8):
        post.announce(day, subject=f"inv_{day}")
        post.send()
        post.later(days=1)
    assert WebhookEndpoint.objects.get().enabled


def test_a_disabled_endpoint_begins_anew_and_what_failed_is_sent_again_in_order(post: Post, receiver: Receiver) -> None:
    endpoint = post.listen(receiver)
    post.announce(1, 2, 3)
    post.announce(9, subject="inv_9")
    receiver.answers(410)
    post.send()
    receiver.received.clear()
    receiver.answers(204)
    path = f"webhook_endpoints/{endpoint.pk}"
    since = {"since": "2026-01-01T00:00:00Z"}
    assert post.api.post(f"{path}/replay_failed", since).json()["code"] == "webhook_endpoint_disabled"
    assert post.api.post(f"{path}/test", {}).status_code == 409
    assert post.api.patch(path, {"enabled": True}).json()["disabled_for"] is None
    assert post.api.post(f"{path}/replay_failed", since).json() == {"deliveries": 4}
    post.now = WebhookDelivery.objects.filter(status="due").first().next_attempt_at
    post.send()
    assert [n for n in receiver.numbers if n != 9] == [1, 2, 3]
    assert sorted(receiver.numbers) == [1, 2, 3, 9]


def test_a_delivery_is_replayed_under_its_own_id_before_those_that_wait(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1, 2)
    post.send()
    receiver.answer = lambda one: (500 if one.number == 3 else 204, {}, b"")
    post.announce(3, 4)
    post.send()
    first = WebhookDelivery.objects.order_by("id").first()
    assert first is not None
    replayed = post.api.post(f"webhook_deliveries/{first.public_id}/replay", {})
    assert (replayed.status_code, replayed.json()["status"]) == (202, "waiting")
    again = post.api.post(f"webhook_deliveries/{first.public_id}/replay", {})
    assert again.json()["code"] == "webhook_delivery_under_way"
    receiver.answers(204)
    post.now = WebhookDelivery.objects.get(status="due").next_attempt_at
    post.send()
    assert receiver.numbers == [1, 2, 3, 3, 1, 4]
    assert receiver.received[0].headers["webhook-id"] == receiver.received[4].headers["webhook-id"]


def test_a_test_event_goes_to_the_endpoint_alone(post: Post, receiver: Receiver) -> None:
    endpoint = post.listen(receiver, "invoice.paid")
    post.listen(receiver)
    sent = post.api.post(f"webhook_endpoints/{endpoint.pk}/test", {})
    assert sent.status_code == 202
    post.now = NOON + timedelta(days=4000)
    post.send()
    [one] = receiver.received
    assert one.payload["type"] == "webhook.test"
    assert one.headers["webhook-id"] == sent.json()["message_id"]
    assert one.payload["data"]["webhook_endpoint"] == endpoint.pk


def test_the_log_says_what_was_sent_and_how_it_went(post: Post, another_api: Api, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)
    post.announce(2, subject="cus_1", type="customer.created")
    receiver.answer = lambda one: (204 if one.number == 2 else 500, {}, b"out of paper")
    post.send()
    listed = post.api.get("webhook_deliveries").json()["data"]
    assert [(one["type"], one["status"]) for one in listed] == [
        ("customer.created", "delivered"),
        ("invoice.finalized", "due"),
    ]
    for filters, count in [
        ({"status": "delivered"}, 1),
        ({"type": "invoice.finalized"}, 1),
        ({"subject": "cus_1"}, 1),
        ({"webhook_endpoint": "whe_other"}, 0),
        ({"since": "2030-01-01T00:00:00Z"}, 0),
        ({"subject": "a\x00b"}, 0),
    ]:
        assert len(post.api.get("webhook_deliveries", **filters).json()["data"]) == count, filters
    assert post.api.get("webhook_deliveries", status="lost").status_code == 422
    assert another_api.get("webhook_deliveries").json()["data"] == []
    shown = post.api.get(f"webhook_deliveries/{listed[1]['id']}").json()
    assert shown["payload"]["data"] == {"number": 1}
    assert [(one["status_code"], one["response"]) for one in shown["attempt_log"]] == [(500, "out of paper")]
    assert another_api.get(f"webhook_deliveries/{listed[1]['id']}").status_code == 404


def test_what_is_done_to_endpoints_is_written_down_without_the_secret(api: Api) -> None:
    made = make(api)
    api.patch(f"webhook_endpoints/{made['id']}", {"enabled": False})
    api.post(f"webhook_endpoints/{made['id']}/rotate_secret", {})
    entries = AuditEntry.objects.filter(target=made["id"]).order_by("id")
    assert [one.action for one in entries] == [
        "webhook_endpoint.create",
        "webhook_endpoint.update",
        "webhook_endpoint.rotate_secret",
    ]
    assert "whsec_" not in str([one.detail for one in entries])


def test_the_log_is_pruned_and_what_is_open_stays(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    receiver.answer = lambda one: (204 if one.number == 1 else 500, {}, b"")
    post.announce(1, subject="inv_1")
    post.announce(2, subject="inv_2")
    post.send()
    assert prune(now=NOON + timedelta(days=29)) == 0
    assert prune(now=NOON + timedelta(days=31)) == 2
    assert WebhookDelivery.objects.get().status == "due"
    assert WebhookEvent.objects.count() == WebhookAttempt.objects.count() == 1


def test_the_list_of_deliveries_is_paged_and_a_cursor_of_another_list_is_refused(
    post: Post, receiver: Receiver
) -> None:
    post.listen(receiver)
    post.announce(*range(5))
    post.send()
    first = post.api.get("webhook_deliveries", limit="3").json()
    second = post.api.get("webhook_deliveries", limit="3", cursor=first["next_cursor"]).json()
    shown = [one["id"] for one in first["data"] + second["data"]]
    assert len(set(shown)) == 5
    assert second["next_cursor"] is None
    foreign = encode_cursor(["whe_1"])
    assert post.api.get("webhook_deliveries", cursor=foreign).json()["code"] == "cursor_invalid"
