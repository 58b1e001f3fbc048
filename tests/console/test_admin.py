"""The admin: everything for superusers, nothing for others, history untouchable, and no list that counts its rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.facade import ApiKey, Organization, Role, User, add_member, api_key_with, create_api_key, create_user
from accounts.models import AuditEntry
from agents.facade import register_agent, set_up_organization
from billing.customers.services import change_policy
from billing.facade import (
    BillingRun,
    Customer,
    Invoice,
    Subscription,
    close_month,
    create_customer,
    create_plan,
    start_billing_run,
    subscribe,
)
from kernel.period import Month
from metering.facade import UsageEvent, advance_projections, ingest, void_event
from notifications.facade import MailStatus, WebhookDelivery, create_endpoint, send_test
from notifications.models import Mail
from notifications.services.distributing import distribute_events

NOW = datetime(2026, 11, 2, tzinfo=UTC)
START = datetime(2026, 10, 1, tzinfo=UTC)
ROOMS = (
    *("accounts", "rest", "notifications", "metering", "billing", "collection", "budgets"),
    *("agents", "inference", "exports"),
)

pytestmark = pytest.mark.django_db

#: What has happened, and what is computed from it: neither made, nor changed, nor deleted by hand.
READ_ONLY = [
    "accounts.AuditEntry", "metering.UsageEvent", "metering.EventCorrection", "metering.MeterVersion",
    "metering.UsageBucket", "billing.PlanVersion", "billing.Price", "billing.Invoice", "billing.InvoiceLine",
    "billing.InvoiceCounter", "billing.BillingRun", "rest.IdempotencyRecord",
    "agents.Task", "agents.TaskAttempt", "agents.TaskProjection", "agents.TaskSummary", "agents.CallUsage",
]  # fmt: skip


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(create_user(email="root@example.com", password="x", is_superuser=True))
    return client


def event(customer: str, number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"turn-{number}", "source": f"edge/{customer}", "type": "agent.turn",
        "subject": customer, "time": "2026-10-03T09:00:00Z", "data": {"agent": f"a{number}", "turn_id": str(number)},
    }  # fmt: skip


def vendor(name: str) -> Organization:
    """An organization with something in every table: a subscribed customer, its events, one taken back, an invoice."""
    organization = set_up_organization(name=name)
    customer = create_customer(organization=organization, key=f"{organization.key}-customer")
    price = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.05"}}
    fee = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
    plan = create_plan(organization=organization, key="plan", currency="USD", prices=[price, fee])
    subscribe(customer=customer, plan=plan, starts_at=START)
    events = [event(customer.key, number) for number in range(3)]
    ingest(organization_id=organization.pk, events=events, received_at=NOW)
    void_event(organization_id=organization.pk, source=events[0]["source"], event_id="turn-0", reason="test", at=NOW)
    close_month(organization=organization, month=Month(2026, 10), now=NOW)
    create_api_key(organization=organization, scopes=["read"], name=name)
    member = create_user(email=f"{organization.key}@example.com", password="x")
    add_member(organization=organization, user=member, role=Role.VIEWER)
    AuditEntry.objects.create(organization=organization, actor="a", action="b", target="c")
    register_agent(organization=organization, key="agent", version="1")
    return organization


def models() -> list[Any]:
    return [model for room in ROOMS for model in apps.get_app_config(room).get_models()]


def address(model: Any, page: str = "changelist", *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def names(found: list[Any]) -> list[str]:
    return sorted(model._meta.label for model in found)


def test_every_table_has_its_admin() -> None:
    assert names([model for model in models() if not admin.site.is_registered(model)]) == []


def test_every_table_is_named_in_proper_english() -> None:
    plurals = [str(model._meta.verbose_name_plural) for model in admin.site._registry]
    assert [plural for plural in plurals if re.search(r"([^aeiou]y|s|x|z|ch|sh)s$", plural)] == []


@pytest.mark.django_db(transaction=True)
def test_every_list_and_page_opens_and_asks_no_more_for_more_rows(operator: Client) -> None:
    def measure() -> dict[str, tuple[int, int]]:
        found = {}
        for model in models():
            queries = []
            row = model._default_manager.order_by("pk").last()
            pages = [address(model)] + ([address(model, "change", row.pk)] if row else [])
            for page in pages:
                with CaptureQueriesContext(
                    connection,
                ) as asked:
                    assert operator.get(page).status_code == 200, page
                queries.append(len(asked))
            found[model._meta.label] = (queries[0], queries[-1])
        return found

    vendor("One")
    advance_projections()
    before = measure()
    for name in ("Two", "Three"):
        vendor(name)
    advance_projections()
    after = measure()
    assert {label: counts for label, counts in after.items() if counts > before[label]} == {}
    assert max(max(counts) for counts in after.values()) <= 12


def test_history_cannot_be_made_changed_or_deleted(operator: Client) -> None:
    vendor("One")
    for label in READ_ONLY:
        model = apps.get_model(label)
        assert operator.get(address(model, "add")).status_code == 403, label
        row = model._default_manager.order_by("pk").last()
        if row is not None:
            assert operator.post(address(model, "change", row.pk), {"status": "paid"}).status_code == 403, label
            assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403, label


def test_others_see_nothing(client: Client) -> None:
    vendor("One")
    person = create_user(email="staff@example.com", password="x")
    User.objects.filter(pk=person.pk).update(is_staff=True)
    client.force_login(User.objects.get(pk=person.pk))
    for model in models():
        assert client.get(address(model)).status_code == 403, model
        assert client.get(address(model, "add")).status_code == 403, model


def test_lists_are_not_counted(operator: Client) -> None:
    vendor("One")
    for model in (UsageEvent, Invoice):
        with CaptureQueriesContext(connection) as asked:
            assert operator.get(address(model)).status_code == 200
        assert [
            query["sql"] for query in asked if "COUNT(*)" in query["sql"] and model._meta.db_table in query["sql"]
        ] == []


def test_the_log_is_listed_by_an_index(operator: Client) -> None:
    organization = vendor("One")
    with CaptureQueriesContext(connection) as asked:
        operator.get(address(UsageEvent), {"organization__id__exact": organization.pk})
    listing = next(query["sql"] for query in asked if "LIMIT" in query["sql"] and "event_id" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {listing}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "organization_id_xid_idx" in plan  # what PostgreSQL calls a partition's part of event_by_transaction


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (lambda: str(UsageEvent.objects.get(event_id="turn-1").pk), ["turn-1"]),
        (lambda: "edge/one-customer turn-2", ["turn-2"]),
        (lambda: "one-customer", ["turn-0", "turn-1", "turn-2"]),
        (lambda: "turn", []),
    ],
)
def test_events_are_found_by_what_names_them(operator: Client, search: Callable[[], str], found: list[str]) -> None:
    vendor("One")
    answer = operator.get(address(UsageEvent), {"q": search()})
    assert sorted(row.event_id for row in answer.context["cl"].result_list) == found


def test_an_invoice_s_lines_lead_to_their_events(operator: Client) -> None:
    vendor("One")
    invoice = Invoice.objects.get()
    line = invoice.lines.get(kind="usage")
    page = operator.get(address(Invoice, "change", invoice.pk)).content.decode()
    assert reverse("console:line_events", args=[invoice.pk, line.pk]) in page
    assert "49.10 USD" not in page  # lines show their own amounts
    assert "0.10 USD" in page  # two turns that were not taken back, at 0.05


def test_a_key_shows_no_secret_is_not_made_here_and_can_be_revoked(operator: Client) -> None:
    organization = set_up_organization(name="One")
    key, secret = create_api_key(organization=organization, scopes=["read"], name="n")
    page = operator.get(address(ApiKey, "change", key.pk)).content.decode()
    assert key.hint in page
    assert secret not in page
    assert "secret_hash" not in page

    answer = operator.post(address(ApiKey, "add"), {"name": "new"}, follow=True)
    assert "manage.py create_api_key" in answer.content.decode()
    assert ApiKey.objects.count() == 1

    operator.post(address(ApiKey), {"action": "revoke", "_selected_action": [key.pk]})
    assert api_key_with(secret) is None
    entry = AuditEntry.objects.get(action="api_key.revoke")
    assert (entry.actor, entry.action, entry.target) == ("root@example.com", "api_key.revoke", key.pk)
    assert operator.post(address(ApiKey, "delete", key.pk), {"post": "yes"}).status_code == 403


def customer_form(organization: Organization, **changes: str) -> dict[str, Any]:
    return {
        "organization": organization.pk, "key": "acme", "name": "Acme", "currency": "USD", "timezone": "Europe/Berlin",
        "tax_treatment": "standard",
        "address": "{}", "tax_rate": "0.19", "metadata": "{}",
    } | changes  # fmt: skip


def test_a_customer_can_be_made_and_its_key_stays(operator: Client) -> None:
    organization = set_up_organization(name="One")
    assert operator.post(address(Customer, "add"), customer_form(organization)).status_code == 302
    customer = Customer.objects.get()
    changed = customer_form(organization, key="other", name="Acme Inc", currency="EUR")
    assert operator.post(address(Customer, "change", customer.pk), changed).status_code == 302
    customer.refresh_from_db()
    assert (customer.key, customer.name, customer.currency) == ("acme", "Acme Inc", "USD")


@pytest.mark.parametrize(
    "fault", [{"timezone": "Mars/Base"}, {"currency": "usd"}, {"tax_rate": "2"}, {"key": ""}, {"address": "{"}]
)
def test_a_customer_nobody_could_bill_is_refused(operator: Client, fault: dict[str, str]) -> None:
    organization = set_up_organization(name="One")
    answer = operator.post(address(Customer, "add"), customer_form(organization, **fault))
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == set(fault)
    assert not Customer.objects.exists()


def test_a_subscription_needs_a_plan_that_fits(operator: Client) -> None:
    organization, other = vendor("One"), vendor("Two")
    customer = create_customer(organization=organization, key="new")
    euros = create_customer(organization=organization, key="euros", currency="EUR")

    def add(who: Customer, whose: Organization) -> int:
        version = Subscription.objects.get(organization=whose, customer__key=f"{whose.key}-customer").plan_version
        body = {"customer": who.pk, "plan_version": version.pk, "starts_at_0": "2026-11-01", "starts_at_1": "00:00:00"}
        body |= {"anchor": "calendar", "trial_days": "0", "seats": "0"}
        names = ("seat_changes", "plan_changes", "pauses", "add_ons")
        inline = {f"{name}-{count}_FORMS": "0" for name in names for count in ("TOTAL", "INITIAL")}
        return operator.post(address(Subscription, "add"), body | inline).status_code

    assert (add(customer, other), add(euros, organization), add(customer, organization)) == (200, 200, 302)
    assert Subscription.objects.get(customer=customer).organization == organization


def test_people_are_made_and_changed(operator: Client) -> None:
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    password = {"password1": "correct horse battery", "password2": "correct horse battery", "usable_password": "true"}
    answer = operator.post(reverse("admin:accounts_user_add"), {"email": "New@example.com"} | password | inline)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert User.objects.get(email__iexact="new@example.com").check_password("correct horse battery")


def act(operator: Client, model: Any, action: str, *rows: Any) -> str:
    body = {"action": action, "_selected_action": [row.pk for row in rows]}
    return operator.post(address(model), body, follow=True).content.decode()


def test_mail_that_failed_is_sent_again(operator: Client) -> None:
    organization = vendor("One")
    common = {"organization": organization, "kind": "invoice_issued", "to": ["a@example.com"], "created_at": NOW}
    failed = Mail.objects.create(**common, key="1", status=MailStatus.FAILED, attempts=9, next_attempt_at=NOW)
    sent = Mail.objects.create(**common, key="2", status=MailStatus.SENT, next_attempt_at=NOW)
    assert "1 that had failed go out once more." in act(operator, Mail, "send_again", failed, sent)
    assert list(Mail.objects.filter(pk__in=[failed.pk, sent.pk]).order_by("key").values_list("status", "attempts")) == [
        ("queued", 0),
        ("sent", 0),
    ]
    assert AuditEntry.objects.get(action="mail.retry").actor == "root@example.com"


def test_a_webhook_goes_out_once_more_and_what_may_not_is_said(operator: Client) -> None:
    organization = vendor("One")
    endpoint = create_endpoint(organization_id=organization.pk, url="https://erp.invalid/", now=NOW)
    send_test(endpoint=endpoint, now=NOW)
    distribute_events(now=NOW)
    delivery = WebhookDelivery.objects.get()
    assert "This delivery is on its way already" in act(operator, WebhookDelivery, "send_again", delivery)
    WebhookDelivery.objects.update(status="failed", finished_at=NOW, next_attempt_at=None)
    assert "1 go out once more" in act(operator, WebhookDelivery, "send_again", delivery)
    delivery.refresh_from_db()
    assert delivery.status == "due"


@pytest.mark.django_db(transaction=True)
def test_chosen_drafts_are_finalized_and_the_rest_is_left(operator: Client) -> None:
    organization = set_up_organization(name="One")
    change_policy(organization_id=organization.pk, grace_hours=240)
    customer = create_customer(organization=organization, key="acme")
    fee = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
    plan = create_plan(organization=organization, key="plan", currency="USD", prices=[fee])
    subscribe(customer=customer, plan=plan, starts_at=START)
    close_month(organization=organization, month=Month(2026, 10), now=NOW)
    draft = Invoice.objects.get()
    assert draft.status == "draft"
    assert "1 drafts are final." in act(operator, Invoice, "finalize", draft)
    assert "0 drafts are final." in act(operator, Invoice, "finalize", draft)
    draft.refresh_from_db()
    assert (draft.status, draft.number) == ("finalized", "INV-000001")


def test_a_run_whose_worker_was_lost_goes_on(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_out = []
    monkeypatch.setattr("billing.tasks.work_run.delay", lambda *, run_id: handed_out.append(run_id))
    organization = vendor("One")
    done = BillingRun.objects.get()
    waiting = start_billing_run(organization=organization, month=Month(2026, 9), now=NOW)
    assert "1 runs go on." in act(operator, BillingRun, "work", done, waiting)
    assert handed_out == [waiting.pk]


def test_a_person_is_signed_out_everywhere_and_loses_a_second_factor(operator: Client) -> None:
    person = create_user(email="lost@example.com", password="x")
    add_member(organization=set_up_organization(name="One"), user=person, role=Role.VIEWER)
    theirs = Client()
    theirs.force_login(person)
    TOTPDevice.objects.create(user=person, name="app", confirmed=True)
    assert "1 signed out" in act(operator, User, "sign_out", person)
    assert theirs.get("/").status_code == 302
    entry = AuditEntry.objects.get(action="person.sign_out_everywhere")
    assert (entry.actor, entry.target) == ("root@example.com", "lost@example.com")
    act(operator, User, "reset_second_factor", person)
    assert not TOTPDevice.objects.filter(user=person).exists()


def test_an_organization_is_found_by_typing_and_not_chosen_from_all(operator: Client) -> None:
    for i in range(3):
        vendor(f"Vendor {i}")
    page = operator.get(address(Invoice)).content.decode()
    assert "Vendor 1" in page  # in its row
    assert page.count("Vendor 1") == operator.get(address(Invoice)).content.decode().count("Vendor 2")
    chosen = Organization.objects.get(name="Vendor 1")
    answer = operator.get(address(Invoice), {"organization__id__exact": chosen.pk})
    assert {row.organization_id for row in answer.context["cl"].result_list} == {chosen.pk}
    assert operator.get(address(Invoice), {"organization": "x"}).status_code in {200, 302}
