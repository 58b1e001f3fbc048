"""The audit trail: nothing that changes something leaves no entry, and nobody can change what it says.

The two tables name, for every unsafe operation of the API and every form of the console, the action of its entry, or
why it leaves none. A new one is in neither, and fails here.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.facade import add_member, create_user, record_audit
from accounts.models import AuditEntry
from accounts.services import sign_ins
from tests.api import Api
from tests.rest.openapi import operations

ROOT = Path(__file__).parents[1]

AUDITED = {
    "patch /api/v1/members/{member}": "member.change_role",
    "delete /api/v1/members/{member}": "member.remove",
    "post /api/v1/invitations": "member.invite",
    "delete /api/v1/invitations/{invitation}": "member.revoke_invitation",
    "post /api/v1/api_keys": "api_key.create",
    "delete /api/v1/api_keys/{api_key}": "api_key.revoke",
    "post /api/v1/api_keys/{api_key}/hand_over": "api_key.hand_over",
    "post /api/v1/api_keys/{api_key}/review": "api_key.review",
    "patch /api/v1/privacy_policy": "privacy_policy.change",
    "post /api/v1/customers/{customer}/anonymize": "customer.anonymize",
    "post /api/v1/customers/{customer}/erase": "customer.erase",
    "post /api/v1/customers/{customer}/merge": "customer.merge",
    "post /api/v1/events/amend": "event.amend",
    "post /api/v1/events/void": "event.void",
    "post /api/v1/quarantined_events/{event}/release": "quarantined_event.release",
    "post /api/v1/quarantined_events/{event}/discard": "quarantined_event.discard",
    "post /api/v1/meters": "meter.create",
    "post /api/v1/meters/{meter}/versions": "meter.create_version",
    "post /api/v1/budgets": "budget.create",
    "patch /api/v1/budgets/{budget}": "budget.update",
    "delete /api/v1/budgets/{budget}": "budget.remove",
    "post /api/v1/features": "feature.create",
    "patch /api/v1/features/{feature}": "feature.update",
    "delete /api/v1/features/{feature}": "feature.remove",
    "put /api/v1/plans/{plan}/versions/{version}/entitlements": "plan.set_entitlements",
    "post /api/v1/customers": "customer.create",
    "patch /api/v1/customers/{customer}": "customer.update",
    "post /api/v1/customers/{customer}/portal_link": "portal_link.create",
    "post /api/v1/coupons": "coupon.create",
    "post /api/v1/charges": "charge.create",
    "delete /api/v1/charges/{charge}": "charge.delete",
    "post /api/v1/credit_grants": "credit_grant.create",
    "post /api/v1/credit_grants/{grant}/void": "credit_grant.void",
    "post /api/v1/subscriptions": "subscription.create",
    "patch /api/v1/subscriptions/{subscription}": "subscription.change_end",
    "post /api/v1/subscriptions/{subscription}/change": "subscription.change_seats",
    "post /api/v1/subscriptions/{subscription}/overrides": "subscription.change_plan",
    "post /api/v1/subscriptions/{subscription}/cancel": "subscription.cancel",
    "post /api/v1/subscriptions/{subscription}/{action}": "subscription.pause",
    "post /api/v1/subscriptions/{subscription}/uncancel": "subscription.uncancel",
    "post /api/v1/subscriptions/{subscription}/end_trial": "subscription.end_trial",
    "post /api/v1/subscriptions/{subscription}/add_ons": "subscription.add_add_on",
    "post /api/v1/subscriptions/{subscription}/add_ons/{add_on}/remove": "subscription.remove_add_on",
    "post /api/v1/subscriptions/{subscription}/coupons": "coupon.redeem",
    "delete /api/v1/subscriptions/{subscription}/coupons/{coupon}": "coupon.end",
    "post /api/v1/plans": "plan.create",
    "post /api/v1/plans/{plan}/versions": "plan.create_version",
    "post /api/v1/plans/{plan}/migrations": "subscription.change_plan",  # one for each that moves
    "post /api/v1/pricing_units": "pricing_unit.create",
    "patch /api/v1/pricing_units/{unit}": "pricing_unit.update",
    "post /api/v1/invoices/{invoice}/{action}": "invoice.refresh",
    "post /api/v1/invoices/{invoice}/pay": "invoice.pay",
    "post /api/v1/invoices/{invoice}/void": "invoice.void",
    "post /api/v1/invoices/{invoice}/uncollectible": "invoice.write_off",
    "post /api/v1/payments/{payment}/refund": "payment.refund",
    "post /api/v1/credit_notes": "credit_note.issue",
    "patch /api/v1/seller_profile": "seller_profile.change",
    "put /api/v1/seller_profile/logo": "seller_profile.change",
    "delete /api/v1/seller_profile/logo": "seller_profile.change",
    "post /api/v1/test_clocks": "test_clock.create",
    "post /api/v1/test_clocks/{test_clock}/advance": "test_clock.advance",
    "patch /api/v1/billing_policy": "billing_policy.update",
    "post /api/v1/billing_runs": "billing_run.start",
    "post /api/v1/webhook_endpoints": "webhook_endpoint.create",
    "patch /api/v1/webhook_endpoints/{endpoint}": "webhook_endpoint.update",
    "delete /api/v1/webhook_endpoints/{endpoint}": "webhook_endpoint.delete",
    "post /api/v1/webhook_endpoints/{endpoint}/rotate_secret": "webhook_endpoint.rotate_secret",
    "post /api/v1/webhook_endpoints/{endpoint}/test": "webhook_endpoint.test",
    "post /api/v1/webhook_endpoints/{endpoint}/replay_failed": "webhook_delivery.replay",
    "post /api/v1/webhook_deliveries/{delivery}/replay": "webhook_delivery.replay",
    "patch /api/v1/collection_policy": "collection_policy.change",
    "put /api/v1/stripe_account": "stripe_account.change",
    "patch /api/v1/stripe_account": "stripe_account.change",
    "delete /api/v1/stripe_account": "stripe_account.remove",
    "post /api/v1/stripe_meters": "stripe_meter.map",
    "delete /api/v1/stripe_meters/{meter}": "stripe_meter.unmap",
    "patch /api/v1/customers/{customer}/payment_details": "paying_customer.change",
    "post /api/v1/customers/{customer}/payment_setup_link": "customer.ask_for_card",
    "post /api/v1/customers/{customer}/reinstate": "customer.reinstate",
    "post /api/v1/invoices/{invoice}/charge": "invoice.charge",
    "post /api/v1/invoices/{invoice}/payment_link": "invoice.payment_page",
    "post /api/v1/provider_calls/{call}/repeat": "provider_call.repeat",
    "post /api/v1/bank_transfers": "bank_transfer.record",
    "post /api/v1/bank_transfers/{transfer}/match": "bank_transfer.match",
    "post /api/v1/reconciliations": "reconciliation.start",
    "post /api/v1/exports": "export.start",
    "post /api/v1/export_schedules": "export_schedule.create",
    "patch /api/v1/export_schedules/{schedule}": "export_schedule.change",
    "post /api/v1/agents": "agent.create",
    "post /api/v1/agents/{agent}/versions": "agent.version",
    "post /api/v1/tasks": "task.queue",
    "post /api/v1/tasks/{task_id}/outcome": "task.outcome",
    "post /api/v1/tasks/{task_id}/dispute": "task.dispute",
    "post /api/v1/cost_rates": "cost_rate.create",
    "post /api/v1/models": "model.add",
    "post /api/v1/models/{reference}/recall": "model.recall",
    "post /api/v1/models/{reference}/load": "model.load",
    "post /api/v1/models/{reference}/unload": "model.unload",
    "security/two-factor": "two_factor.enable",
    "security/two-factor/codes": "two_factor.renew_codes",
    "security/two-factor/off": "two_factor.disable",
    "security/password": "password.change",
    "security/sessions": "person.sign_out_everywhere",
    "security/sessions/<str:session>/end": "person.end_session",
    "members/<str:member>/sessions/<str:session>/end": "person.end_session",
    "members/provider/change": "sign_in_provider.update",
    "members/invite": "member.invite",
    "members/sign-in": "organization.update",
    "members/invitations/<str:invitation>/revoke": "member.revoke_invitation",
    "members/<str:member>/role": "member.change_role",
    "members/<str:member>/remove": "member.remove",
    "members/<str:member>/two-factor": "two_factor.disable",
    "events/quarantine/<str:event>/release": "quarantined_event.release",
    "events/quarantine/<str:event>/discard": "quarantined_event.discard",
    "api-keys/create": "api_key.create",
    "api-keys/<str:api_key>/revoke": "api_key.revoke",
    "api-keys/<str:api_key>/void": "event.void_all",
    "api-keys/<str:api_key>/hand-over": "api_key.hand_over",
    "api-keys/<str:api_key>/review": "api_key.review",
    "customers/<str:customer>/anonymize": "customer.anonymize",
    "customers/<str:customer>/erase": "customer.erase",
    "customers/<str:customer>/merge": "customer.merge",
    "privacy/change": "privacy_policy.change",
    "customers/<str:customer>/portal/link": "portal_link.create",
    "customers/<str:customer>/portal/revoke": "portal_link.revoke",
    "task": "task.outcome",
    "model-catalogue/<str:model>/recall": "model.recall",
    "plans/new": "plan.create",
    "plan/<str:plan>/version": "plan.create_version",
    "plan/<str:plan>/migrate": "plan.migrate",
    "plan/<str:plan>/archive": "plan.archive",
    "budgets/new": "budget.create",
    "budgets/<str:budget>/edit": "budget.update",
    "budgets/<str:budget>/remove": "budget.remove",
    "payments/differences/compare": "reconciliation.start",
    "payments/calls/<str:call>/repeat": "provider_call.repeat",
    "payments/transfers/new": "bank_transfer.record",
    "payments/transfers/<str:transfer>/match": "bank_transfer.match",
    "invoices/<str:invoice>/charge": "invoice.charge",
    "customers/<str:customer>/paying/change": "paying_customer.change",
    "customers/<str:customer>/paying/card": "customer.ask_for_card",
    "customers/<str:customer>/paying/reinstate": "customer.reinstate",
    "taking-payments/policy": "collection_policy.change",
    "taking-payments/stripe": "stripe_account.change",
    "taking-payments/stripe/secret": "stripe_account.change",
    "taking-payments/stripe/disconnect": "stripe_account.remove",
    "exports/new": "export.start",
    "exports/schedules/new": "export_schedule.create",
    "exports/schedules/<str:schedule>": "export_schedule.change",
    "invoices/<str:invoice>/pay": "invoice.pay",
    "invoices/<str:invoice>/payments/<str:payment>/refund": "payment.refund",
    "invoices/<str:invoice>/finalize": "invoice.finalize",
    "invoices/<str:invoice>/refresh": "invoice.refresh",
    "invoices/<str:invoice>/void": "invoice.void",
    "invoices/<str:invoice>/write-off": "invoice.write_off",
    "invoices/<str:invoice>/credit": "credit_note.issue",
    "seller/change": "seller_profile.change",
    "seller/logo": "seller_profile.change",
    "runs": "billing_run.start",
    "webhooks/new": "webhook_endpoint.create",
    "webhooks/<str:endpoint>/edit": "webhook_endpoint.update",
    "webhooks/<str:endpoint>/secret": "webhook_endpoint.rotate_secret",
    "webhooks/<str:endpoint>/enabled": "webhook_endpoint.update",
    "webhooks/<str:endpoint>/remove": "webhook_endpoint.delete",
    "webhooks/<str:endpoint>/test": "webhook_endpoint.test",
    "webhooks/<str:endpoint>/failed": "webhook_delivery.replay",
    "webhook-deliveries/<str:delivery>/replay": "webhook_delivery.replay",
    "mail/settings": "mail_settings.update",
    "mail/<str:mail>/retry": "mail.retry",
}

WITHOUT = {
    "post /api/v1/events": "usage: each event names its sender itself",
    "post /api/v1/entitlements/check": "agents ask before every step; reservations are kept as rows",
    "post /api/v1/reservations/{reservation}/commit": "part of an agent's work; the reservation says so itself",
    "post /api/v1/reservations/{reservation}/release": "part of an agent's work; the reservation says so itself",
    "post /api/v1/pricing/calculate": "stores nothing",
    "post /api/v1/stripe_account/test": "asks the provider and stores nothing",
    "taking-payments/stripe/test": "asks the provider and stores nothing",
    "plans/preview": "stores nothing",
    "confirm": "changes nothing; a wrong password is a failed sign-in",
    "organization": "changes which organization a member looks at",
}


def forms(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    """The addresses of the console's pages that take a POST."""
    for one in (resolver or get_resolver()).url_patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            if not path.startswith(("admin", "api")):
                yield from forms(one, path)
        elif "POST" in (getattr(one.callback, "methods", None) or ()):
            yield path


def test_every_change_has_its_action_or_the_reason_why_not() -> None:
    found = {f"{method} {path}" for method, path in operations() if method != "get"} | set(forms())
    assert len(found) > 120
    assert found - set(AUDITED) - set(WITHOUT) == set()
    assert (set(AUDITED) | set(WITHOUT)) - found == set()


def test_every_action_is_one_that_the_code_records() -> None:
    said = {
        node.value
        for room in ("accounts", "agents", "billing", "budgets", "collection", "console", "exports", "inference",
                     "metering", "notifications", "privacy")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }  # fmt: skip
    missing = {one for one in AUDITED.values() if one not in said and one.partition(".")[2] not in said}
    assert missing == set()


@pytest.fixture
def seen(api: Api) -> Any:
    """What a request adds to the organization's trail."""

    def added(method: str, path: str, body: Any = None) -> tuple[Any, list[str]]:
        before = set(AuditEntry.objects.values_list("pk", flat=True))
        data = "" if body is None else json.dumps(body)
        answer = api.client.generic(method.upper(), f"/api/v1/{path}", data, content_type="application/json")
        assert answer.status_code < 400, (path, answer.content)
        new = AuditEntry.objects.exclude(pk__in=before).order_by("id")
        assert all(one.api_key and one.address == "127.0.0.1" for one in new)
        return (answer.json() if answer.content else {}), [one.action for one in new]

    return added


@pytest.mark.django_db
def test_each_change_leaves_one_entry_and_the_same_again_none(api: Api, seen: Any) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "acme"}
    price = {"key": "fee", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "1"}}
    plan = {"key": "p", "currency": "USD", "interval": "month", "prices": [price]}
    assert api.post("events", [event, event | {"id": "2"}]).status_code == 200
    done: list[tuple[str, str, Any, str, bool]] = [  # the last: sent again, it changes nothing
        ("post", "meters", {"key": "m", "event_type": "t", "aggregation": "count"}, "meter.create", False),
        ("post", "meters/m/versions", {"event_type": "u", "aggregation": "count"}, "meter.create_version", True),
        ("post", "events/void", {"source": "s", "id": "1", "reason": "r"}, "event.void", True),
        ("post", "events/amend", {"source": "s", "id": "2", "reason": "r", "event": event | {"id": "3"}},
         "event.amend", True),
        ("post", "customers", {"key": "acme", "currency": "USD"}, "customer.create", False),
        ("patch", "customers/acme", {"name": "Acme"}, "customer.update", True),
        ("post", "plans", plan, "plan.create", False),
        ("post", "plans/p/versions", {"prices": [price | {"name": "Fee"}]}, "plan.create_version", False),
        ("patch", "billing_policy", {"grace_hours": 5}, "billing_policy.update", True),
        ("post", "billing_runs", {"month": "2026-01"}, "billing_run.start", True),
        ("post", "exports", {"kind": "invoices", "month": "2026-01", "format": "csv"}, "export.start", False),
        ("post", "coupons", {"key": "ten", "percent": "10"}, "coupon.create", False),
        ("post", "charges", {"customer": "acme", "description": "d", "unit_amount": "1"}, "charge.create", False),
        ("post", "test_clocks", {"now": "2026-01-01T00:00:00Z"}, "test_clock.create", False),
        ("post", "api_keys", {"name": "k", "scopes": ["read"]}, "api_key.create", False),
        ("post", "invitations", {"email": "new@example.com", "role": "viewer"}, "member.invite", False),
        ("patch", "seller_profile", {"legal_name": "Vendor Inc."}, "seller_profile.change", True),
        ("post", "customers/acme/portal_link", {}, "portal_link.create", False),
    ]  # fmt: skip
    for method, path, body, action, is_idempotent in done:
        assert (path, seen(method, path, body)[1]) == (path, [action])
        if is_idempotent:
            assert (path, seen(method, path, body)[1]) == (path, [])


@pytest.mark.django_db
def test_reading_leaves_no_entry_and_fetching_a_file_leaves_one(api: Api) -> None:
    for path in ("customers", "events", "audit_entries", "meters", "invoices"):
        assert api.get(path).status_code == 200
    assert not AuditEntry.objects.filter(action="file.download").exists()
    member = create_user(email="ann@example.com", password="a long enough word")
    add_member(organization=api.organization, user=member, role="owner")
    browser = Client(REMOTE_ADDR="192.0.2.7")
    browser.force_login(member)
    assert browser.get("/audit.csv").status_code == 200
    entry = AuditEntry.objects.get(action="file.download")
    assert (entry.actor, entry.address, entry.api_key, entry.detail) == (
        "ann@example.com", "192.0.2.7", None, {"file": "audit.csv"},
    )  # fmt: skip


@pytest.mark.django_db
def test_sign_ins_good_and_failed_are_in_the_trail_with_their_address(api: Api, monkeypatch: Any) -> None:
    member = create_user(email="ann@example.com", password="a long enough word")
    add_member(organization=api.organization, user=member, role="owner")
    browser = Client(REMOTE_ADDR="192.0.2.7")
    for password in ("wrong", "a long enough word"):
        browser.post("/sign-in", {"username": "ann@example.com", "password": password})
    browser.post("/sign-out")
    found = api.get("audit_entries", action="sign_in").json()["data"]
    assert [(one["action"], one["actor"], one["address"], one["api_key"]) for one in reversed(found)] == [
        (action, "ann@example.com", "192.0.2.7", None) for action in ("sign_in.fail", "sign_in.succeed", "sign_in.end")
    ]
    assert len(api.get("audit_entries", address="192.0.2.7", action="sign_in").json()["data"]) == 3
    assert api.get("audit_entries", address="192.0.2.8").json()["data"] == []
    assert api.get("audit_entries", address="no address").json()["code"] == "filter_invalid"
    monkeypatch.setattr(sign_ins, "MOST_UNKNOWN", 3)
    for number in range(10):
        browser.post("/sign-in", {"username": f"nobody{number}@example.com", "password": "wrong"})
    unknown = AuditEntry.objects.filter(organization=None)
    assert [one.target for one in unknown.order_by("id")] == [f"nobody{number}@example.com" for number in range(3)]
    assert len(api.get("audit_entries", action="sign_in").json()["data"]) == 3


@pytest.mark.django_db
def test_the_address_is_that_of_a_configured_proxy_s_client_alone(api: Api, settings: Any) -> None:
    forged = {"x-forwarded-for": "203.0.113.9, 198.51.100.4"}
    api.client.post("/api/v1/meters", json.dumps({"key": "a", "event_type": "t", "aggregation": "count"}),
                    content_type="application/json", headers=forged)  # fmt: skip
    settings.PROXIES = 1
    api.client.post("/api/v1/meters", json.dumps({"key": "b", "event_type": "t", "aggregation": "count"}),
                    content_type="application/json", headers=forged)  # fmt: skip
    found = AuditEntry.objects.filter(action="meter.create").order_by("id").values_list("address", flat=True)
    assert list(found) == ["127.0.0.1", "198.51.100.4"]


@pytest.mark.django_db
def test_the_database_lets_nobody_change_or_empty_the_trail(api: Api) -> None:
    record_audit(organization_id=api.organization.pk, action="thing.do", target="t")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER accounts_audit_trail_is_never_emptied")
        for statement in (
            "UPDATE accounts_auditentry SET actor = 'nobody'",
            "DELETE FROM accounts_auditentry",
            "TRUNCATE accounts_auditentry",
        ):
            with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
                cursor.execute(statement)
    assert AuditEntry.objects.filter(action="thing.do").exists()
