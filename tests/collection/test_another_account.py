"""A key of Stripe's that is of another account than the customers who are known: it would charge nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.facade import create_customer
from collection.models import PayingCustomer, StripeAccount
from tests.api import Api
from tests.collection.stripe_fake import Fault, StripeFake
from tests.collection.stripe_fake.server import KEY
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db


def connect(api: Api, **fields: Any) -> Any:
    return api.client.put("/api/v1/stripe_account", data={"api_key": KEY, **fields}, content_type="application/json")


@pytest.fixture
def elsewhere(vendor: Vendor, settings: Any) -> Iterator[StripeFake]:
    """Another account, which keys belong to from now on; the vendor's is still `vendor.fake`."""
    other = StripeFake()
    settings.STRIPE_API_BASE = other.address
    yield other
    other.stop()


def known() -> list[str]:
    return [one.stripe_customer for one in PayingCustomer.objects.order_by("pk")]


def test_a_key_of_another_account_is_refused_and_nothing_changes(vendor: Vendor, api: Api, elsewhere: Any) -> None:
    before = StripeAccount.objects.values().get()
    PayingCustomer.objects.create(
        customer=_customer(vendor), organization_id=vendor.organization.pk, stripe_customer="cus_known"
    )
    answer = connect(api)
    assert (answer.status_code, answer.json()["code"]) == (409, "stripe_account_differs")
    assert known() == ["cus_known"]
    assert StripeAccount.objects.values().get() == before


def test_another_account_is_moved_to_where_that_is_said(vendor: Vendor, api: Api, elsewhere: StripeFake) -> None:
    PayingCustomer.objects.create(
        customer=_customer(vendor), organization_id=vendor.organization.pk, stripe_customer="cus_known",
        payment_method="pm_known", payment_method_hint="visa 4242",
    )  # fmt: skip
    assert connect(api, is_another_account=True).status_code == 200
    assert known() == [""]
    assert PayingCustomer.objects.get().payment_method == ""
    assert connect(api).status_code == 200


def test_a_move_waits_for_calls_that_are_open(vendor: Vendor, api: Api) -> None:
    vendor.invoice(vendor.customer())  # a charge that nobody has made yet
    answer = connect(api, is_another_account=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_calls_open")
    assert known() != [""]
    vendor.work()
    assert connect(api, is_another_account=True).status_code == 200


def test_another_key_of_the_same_account_keeps_customers_and_cards(vendor: Vendor, api: Api) -> None:
    vendor.customer()
    before = PayingCustomer.objects.values().get()
    assert connect(api).status_code == 200
    assert PayingCustomer.objects.values().get() == before
    assert api.client.delete("/api/v1/stripe_account").status_code == 204
    assert connect(api).status_code == 200
    assert PayingCustomer.objects.values().get() == before


def test_a_key_is_looked_at_after_a_disconnection_too(vendor: Vendor, api: Api, settings: Any) -> None:
    vendor.customer()
    assert api.client.delete("/api/v1/stripe_account").status_code == 204
    other = StripeFake()
    settings.STRIPE_API_BASE = other.address
    assert connect(api).json()["code"] == "stripe_account_differs"
    other.stop()
    assert not StripeAccount.objects.exists()


def test_a_customer_who_was_deleted_at_stripe_is_still_of_the_account(vendor: Vendor, api: Api) -> None:
    paying = PayingCustomer.objects.get(customer=vendor.customer())
    at_stripe = vendor.fake.tables["customer"][paying.stripe_customer]
    at_stripe.clear()
    at_stripe |= {"id": paying.stripe_customer, "object": "customer", "deleted": True}
    assert connect(api).status_code == 200


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.UNAVAILABLE, Fault.TOO_MANY])
def test_where_stripe_does_not_say_nothing_is_taken(vendor: Vendor, api: Api, fault: Fault) -> None:
    vendor.customer()
    before = StripeAccount.objects.values().get()
    vendor.fake.fail("GET /v1/customers/", fault)
    answer = connect(api)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    assert StripeAccount.objects.values().get() == before


def _customer(vendor: Vendor) -> Any:
    return create_customer(organization=vendor.organization, key="acme", name="Acme")
