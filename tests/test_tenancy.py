"""The watch that every request of the tests goes through finds what it is for (`tests/tenancy.py`)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.client import FakePayload

from accounts.facade import create_organization
from billing.models import Customer, DeferredRevenue, Invoice, InvoiceLine, Plan
from tests.tenancy import Watch, faults_of, tenant_tables

pytestmark = pytest.mark.django_db
REQUEST = {"PATH_INFO": "/api/v1/invoices/inv_1", "QUERY_STRING": "customer=acme"}


def faults(request: dict[str, Any], *queries: Any) -> list[str]:
    watch = Watch(request)
    with connection.execute_wrapper(watch):
        for one in queries:
            list(one.all())
    return watch.faults


def test_an_id_of_the_address_is_looked_up_within_the_organization_only() -> None:
    [fault] = faults(REQUEST, Invoice.objects.filter(pk="inv_1"))
    assert fault.startswith("['inv_1'] of the request looked up in billing_invoice without the organization")
    assert faults(REQUEST, Invoice.objects.filter(pk="inv_1", organization_id=1)) == []
    assert faults(REQUEST, InvoiceLine.objects.filter(invoice__organization_id=1, invoice="inv_1")) == []


def test_what_was_found_within_the_organization_leads_on() -> None:
    first, lines = Invoice.objects.filter(pk="inv_1", organization_id=1), InvoiceLine.objects.filter(invoice="inv_1")
    assert faults(REQUEST, first, lines) == []
    assert len(faults(REQUEST, lines, first)) == 1


def test_rows_of_a_table_that_was_read_in_order_lead_on_and_others_do_not() -> None:
    body = {"PATH_INFO": "/", "CONTENT_TYPE": "application/json", "wsgi.input": FakePayload(b'{"lines": ["inl_1"]}')}
    lines = InvoiceLine.objects.filter(invoice__organization_id=1)
    deferred = DeferredRevenue.objects.filter(line__in=["inl_1"])
    assert faults(body, lines, deferred) == []
    assert len(faults(body, deferred)) == 1
    assert len(faults(body, lines, InvoiceLine.objects.filter(pk="inl_1"))) == 1


def test_texts_of_query_and_body_count_as_well() -> None:
    assert len(faults(REQUEST, Customer.objects.filter(key="acme"))) == 1
    body = {
        "PATH_INFO": "/",
        "CONTENT_TYPE": "application/json",
        "wsgi.input": FakePayload(b'{"to": [{"plan": "pro"}]}'),
    }
    assert len(faults(body, Plan.objects.filter(key="pro"))) == 1
    assert faults(body, Plan.objects.filter(key="other")) == []


def test_nothing_is_read_of_everybody() -> None:
    [fault] = faults(REQUEST, Plan.objects.all())
    assert fault.startswith("billing_plan is read without a condition")


def test_operators_of_the_admin_see_every_organization() -> None:
    create_organization(name="Vendor")
    everybody = {"PATH_INFO": "/admin/billing/plan/"}
    assert faults_of(everybody, lambda: list(Plan.objects.all())) == ([], [])


def test_tables_of_tenants_are_found_by_what_they_point_to() -> None:
    assert {"billing_invoice", "billing_invoiceline", "metering_usagebucket", "accounts_apikey"} <= tenant_tables()
    assert not {"accounts_organization", "accounts_session", "django_migrations"} & tenant_tables()
