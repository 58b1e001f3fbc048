"""Privacy in the console: a customer's data as a file, and removing it by its key typed again and the password."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from billing.facade import get_customer
from tests.console.conftest import PASSWORD, Vendor, make_vendor


@pytest.fixture
def vendor(db: None) -> Vendor:
    made = make_vendor("Vendor")
    made.customer("acme", name="Jane Doe", email="jane@example.com")
    made.customer("other")
    return made


def address(vendor: Vendor, name: str, customer: str = "acme") -> str:
    return reverse(f"console:{name}", args=[get_customer(organization_id=vendor.organization.pk, customer=customer).pk])


def test_the_pages_about_a_customers_data_lead_to_each_other(vendor: Vendor) -> None:
    assert address(vendor, "customer_privacy") in vendor.client.get(address(vendor, "customer")).content.decode()
    page = vendor.client.get(address(vendor, "customer_privacy")).content.decode()
    for name in ("customer_export", "merge_customer", "anonymize_customer", "erase_customer"):
        assert address(vendor, name) in page
        assert vendor.client.get(address(vendor, name)).status_code == 200
    export = vendor.client.get(address(vendor, "customer_export"))
    assert json.loads(b"".join(export.streaming_content))["customer"]["email"] == "jane@example.com"


def test_a_customer_is_merged_after_a_look_and_anonymized_by_its_key(vendor: Vendor) -> None:
    merge, sent = address(vendor, "merge_customer"), {"into": "other", "confirmation": "acme"}
    first = {"confirming_password": PASSWORD}
    looked = vendor.client.post(merge, sent | first | {"preview": "1"})
    assert "go over from" in looked.content.decode()
    assert vendor.client.post(merge, sent).status_code == 302
    assert "Merged into" in vendor.client.get(address(vendor, "customer_privacy")).content.decode()
    anonymize = address(vendor, "anonymize_customer")
    wrong = vendor.client.post(anonymize, {"confirmation": "other"})
    assert (wrong.status_code, "not the key" in wrong.content.decode()) == (422, True)
    assert vendor.client.post(anonymize, {"confirmation": "acme"}).status_code == 302
    assert get_customer(organization_id=vendor.organization.pk, customer="acme").name == "Anonymized customer"
    erase = address(vendor, "erase_customer", "other")
    assert vendor.client.post(erase, {"confirmation": "other", "cancel_first": "on"}).status_code == 302
    assert "Erased on" in vendor.client.get(address(vendor, "customer_privacy", "other")).content.decode()


def test_retention_and_personal_fields_are_set_in_a_form(vendor: Vendor) -> None:
    change = reverse("console:change_privacy")
    sent = {"retention_years": "8", "personal_fields": "data.user\nagent.turn data.who\n"}
    assert vendor.client.post(change, sent).status_code == 302
    page = vendor.client.get(reverse("console:privacy")).content.decode()
    assert ("8 years" in page, "data.who" in page, "agent.turn" in page) == (True, True, True)
    wrong = vendor.client.post(change, {"retention_years": "8", "personal_fields": "user"})
    assert (wrong.status_code, "looks like data.user_email" in wrong.content.decode()) == (422, True)
