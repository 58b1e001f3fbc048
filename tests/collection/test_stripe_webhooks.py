"""What Stripe's door takes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from collection.models import ProviderEvent, StripeAccount
from tests.collection.stripe_fake.server import SECRET
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


class TestWebhooks:
    """What Stripe's door takes."""

    def send(self, vendor: Vendor, body: bytes, signature: str, token: str | None = None) -> Any:
        token = token or StripeAccount.objects.get(organization=vendor.organization).webhook_token
        return Client().post(
            f"/webhooks/stripe/{token}",
            data=body,
            content_type="application/json",
            headers={"stripe-signature": signature},
        )

    def event(self, vendor: Vendor) -> dict[str, Any]:
        vendor.invoice(vendor.customer())
        vendor.work()
        return next(one for one in vendor.fake.events if one["type"] == "payment_intent.succeeded")

    def test_a_signed_event_is_written_down_once(self, vendor: Vendor) -> None:
        body, signature = vendor.fake.signed(self.event(vendor))
        for _ in range(2):
            answer = self.send(vendor, body, signature)
            assert (answer.status_code, answer.json()) == (200, {"received": True})
        assert ProviderEvent.objects.filter(type="payment_intent.succeeded").count() == 1

    def test_what_is_not_signed_or_was_signed_at_another_time_is_refused(self, vendor: Vendor) -> None:
        event = self.event(vendor)
        body, signature = vendor.fake.signed(event)
        wrong = [
            (body + b" ", signature),
            (body, ""),
            (body, "t=1,v1=00"),
            vendor.fake.signed(event, secret="whsec_another"),
            vendor.fake.signed(event, at=vendor.now.timestamp() - 3600),
            vendor.fake.signed(event, at=vendor.now.timestamp() + 3600),
            vendor.fake.signed(event, at=2**62),
        ]
        for sent, mark in wrong:
            answer = self.send(vendor, sent, mark)
            assert (answer.status_code, answer.json()["code"]) == (400, "signature_invalid")
        assert not ProviderEvent.objects.exists()

    def test_an_endpoint_that_nobody_has_takes_nothing(self, vendor: Vendor) -> None:
        body, signature = vendor.fake.signed(self.event(vendor))
        assert self.send(vendor, body, signature, token="nobody").status_code == 404

    def test_another_organizations_endpoint_does_not_take_it(self, vendor: Vendor) -> None:
        from tests.collection.vendor import make_vendor

        other = make_vendor(vendor.fake, "Other")
        StripeAccount.objects.filter(organization=other.organization).update(webhook_secret=b"")
        body, signature = vendor.fake.signed(self.event(vendor))
        assert self.send(other, body, signature).status_code == 400
        empty = vendor.fake.signed(vendor.fake.events[0], secret="")
        assert self.send(other, *empty).status_code == 400

    def test_a_large_body_is_refused(self, vendor: Vendor) -> None:
        assert self.send(vendor, b"x" * (512 * 1024 + 1), "t=1,v1=00").status_code == 413

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"null", b"{}", b'{"type": 3}', b"\xff", b'{"type": "refund.created"}']
    )
    def test_signed_nonsense_makes_nothing_fail(self, vendor: Vendor, body: bytes) -> None:
        import hashlib
        import hmac

        seconds = int(vendor.now.timestamp())
        mark = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        assert self.send(vendor, body, f"t={seconds},v1={mark}").status_code in {200, 400}

    def test_events_of_other_types_are_answered_and_forgotten(self, vendor: Vendor) -> None:
        event = {**self.event(vendor), "id": "evt_x", "type": "price.created"}
        assert self.send(vendor, *vendor.fake.signed(event)).status_code == 200
        assert not ProviderEvent.objects.exists()
