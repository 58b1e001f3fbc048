"""From an announcement to a receiver: signed, in order, again until it arrives."""

from __future__ import annotations

import pytest
from django.db import transaction

from kernel.errors import InvalidError
from notifications.facade import is_listened_to
from notifications.models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from notifications.sending.requests import Answer
from notifications.services.deliveries import LEASE, Outcome, claim_deliveries, record_outcomes
from notifications.services.distributing import distribute_events
from notifications.services.leases import take_lease
from notifications.services.secrets import reveal_secret
from tests.api import Api
from tests.notifications.conftest import NOON, Post, Receiver

pytestmark = pytest.mark.django_db


def test_an_announcement_arrives_once_signed_as_standard_webhooks_say(post: Post, receiver: Receiver) -> None:
    endpoint = post.listen(receiver)
    post.announce(1)
    assert post.send() == 1
    assert post.send() == 0
    [one] = receiver.received
    assert one.payload == {
        "type": "invoice.finalized",
        "timestamp": "2026-11-02T12:00:00Z",
        "data": {"number": 1},
    }
    assert one.is_signed_with(reveal_secret(endpoint))
    assert one.headers["webhook-id"] == WebhookEvent.objects.get().public_id
    assert one.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert one.headers["content-type"] == "application/json"
    assert WebhookDelivery.objects.get().status == DeliveryStatus.DELIVERED


def test_what_nobody_listens_to_is_not_written(post: Post, another_api: Api, receiver: Receiver) -> None:
    Post(another_api).listen(receiver)
    post.listen(receiver, "invoice.paid", "customer.created")
    post.announce(1, type="invoice.finalized")
    assert not WebhookEvent.objects.exists()
    post.announce(2, type="invoice.paid")
    assert WebhookEvent.objects.count() == 1
    assert not is_listened_to(organization_id=post.organization_id, type="invoice.finalized")
    assert is_listened_to(organization_id=another_api.organization.pk, type="invoice.finalized")
    post.send()
    assert receiver.numbers == [2]


def test_a_type_that_is_none_is_refused_also_where_nobody_listens(post: Post) -> None:
    with pytest.raises(InvalidError) as refused:
        post.announce(1, type="invoice.lost")
    assert refused.value.code == "event_type_unknown"


def test_an_announcement_of_a_transaction_that_fails_is_never_heard(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    with transaction.atomic():
        post.announce(1)
        transaction.set_rollback(True)
    assert post.send() == 0


def test_of_one_subject_the_next_waits_and_other_subjects_do_not(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1, 2, 3, subject="inv_a")
    post.announce(4, subject="inv_b")
    receiver.answer = lambda one: (500 if one.number == 1 else 204, {}, b"")
    post.send()
    assert sorted(receiver.numbers) == [1, 4]
    receiver.answers(204)
    post.later(seconds=8)
    assert post.send() == 0, "the first is tried again after 10 seconds, give or take a fifth"
    post.later(seconds=4).send()
    assert [n for n in receiver.numbers if n != 4] == [1, 1, 2, 3]


def test_the_next_goes_once_the_one_before_is_given_up(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1, 2)
    receiver.answer = lambda one: (500 if one.number == 1 else 204, {}, b"no")
    for _ in range(4):
        post.send()
        post.later(seconds=1200)
    assert receiver.numbers == [1, 1, 1, 1, 2]
    given_up, delivered = WebhookDelivery.objects.order_by("id")
    assert (given_up.status, given_up.attempts, given_up.last_error) == ("failed", 4, "status_500")
    assert given_up.finished_at == NOON.replace(hour=13)
    assert delivered.status == "delivered"


def test_retries_follow_the_schedule_within_the_jitter(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)
    receiver.answers(503)
    waits = []
    for _ in range(3):
        post.send()
        again = WebhookDelivery.objects.get().next_attempt_at
        assert again is not None
        waits.append((again - post.now).total_seconds())
        post.now = again
    assert 8 <= waits[0] <= 12
    assert 80 <= waits[1] <= 120
    assert 800 <= waits[2] <= 1200


def test_a_receiver_may_ask_for_more_time_and_not_for_less(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)
    receiver.answers((429, {"Retry-After": "500"}, b""), (429, {"Retry-After": "1"}, b""), 204)
    post.send()
    assert (WebhookDelivery.objects.get().next_attempt_at - post.now).total_seconds() == 500
    post.later(seconds=500).send()
    assert 80 <= (WebhookDelivery.objects.get().next_attempt_at - post.now).total_seconds() <= 120


def test_every_attempt_is_logged_with_the_beginning_of_its_answer(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)
    receiver.answers((500, {}, b"broken \x00\xff" + b"x" * 50_000), 200)
    post.send()
    post.later(seconds=12).send()
    first, second = WebhookAttempt.objects.order_by("id")
    assert (first.status_code, first.error, len(first.response)) == (500, "", 1000)
    assert first.response.startswith("broken \ufffdxxx")
    assert (second.status_code, second.response) == (200, "")
    assert second.duration_ms >= 0


def test_a_redirect_is_not_followed(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)
    receiver.answers((302, {"Location": receiver.url}, b""))
    post.send()
    assert len(receiver.received) == 1
    assert WebhookDelivery.objects.get().last_error == "status_302"


def test_a_receiver_that_is_away_is_tried_again(post: Post, receiver: Receiver) -> None:
    endpoint = post.listen(receiver)
    url, endpoint.url = endpoint.url, "http://127.0.0.1:1100/nobody"
    endpoint.save()
    post.announce(1)
    post.send()
    assert WebhookDelivery.objects.get().last_error == "connection: Connection refused"
    assert WebhookEndpoint.objects.get().failing_since == NOON
    WebhookEndpoint.objects.update(url=url)
    post.later(seconds=12).send()
    assert receiver.numbers == [1]
    assert WebhookEndpoint.objects.get().failing_since is None


def test_what_a_killed_sender_had_taken_goes_again_after_its_lease(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1, 2)
    distribute_events(now=post.now)
    assert len(claim_deliveries(now=post.now, most=10, most_each=10, busy={})) == 1  # and then nothing more is heard
    assert take_lease(name="webhooks:0", holder="killed", now=post.now)
    assert post.send() == 0
    post.now += LEASE * 1.01
    assert post.send() == 2
    assert receiver.numbers == [1, 2]


def test_an_outcome_that_comes_after_the_lease_changes_nothing(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)

    distribute_events(now=post.now)
    [mine] = claim_deliveries(now=post.now, most=10, most_each=10, busy={})
    post.now += LEASE * 1.01
    [theirs] = claim_deliveries(now=post.now, most=10, most_each=10, busy={})
    assert mine.id == theirs.id
    late = Outcome(mine, Answer(500, "", "", None, 5), NOON)
    record_outcomes([late], schedule=(), now=post.now)
    assert WebhookDelivery.objects.get().status == DeliveryStatus.DUE
    record_outcomes([Outcome(theirs, Answer(204, "", "", None, 5), NOON)], schedule=(), now=post.now)
    assert WebhookDelivery.objects.get().status == DeliveryStatus.DELIVERED


def test_a_sender_serves_every_endpoint_however_much_waits_for_one(
    post: Post, another_api: Api, receiver: Receiver
) -> None:
    post.listen(receiver)
    for number in range(40):
        post.announce(number, subject=f"inv_{number}")
    distribute_events(now=post.now)
    other = Post(another_api)
    other.listen(receiver)
    other.announce(99)
    distribute_events(now=post.now)
    taken = claim_deliveries(now=post.now, most=8, most_each=4, busy={})
    assert len({one.endpoint_id for one in taken}) == 2
    assert len(taken) == 5


def test_an_endpoint_hears_nothing_of_what_was_before_it(post: Post, receiver: Receiver) -> None:
    post.listen(receiver)
    post.announce(1)
    post.send()
    post.listen(receiver)
    post.announce(2)
    post.send()
    assert sorted(receiver.numbers) == [1, 2, 2]
