"""Webhooks and mail in the console."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from notifications.facade import MAIL_KINDS, Announcement, announce, create_endpoint, queue_mail
from notifications.models import Mail, MailSettings, WebhookDelivery, WebhookEndpoint, WebhookEvent
from notifications.services.distributing import distribute_events
from notifications.services.secrets import reveal_secret
from tests.console.conftest import PASSWORD, Vendor, make_vendor

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
URL = "http://127.0.0.1:9000/hooks"


@pytest.fixture
def vendor(db: None) -> Vendor:
    return make_vendor("Webhook Vendor")


def confirmed(client: Client) -> Client:
    assert client.post("/confirm", {"password": PASSWORD, "next": "/webhooks"}).status_code == 302
    return client


def make_endpoint(vendor: Vendor) -> WebhookEndpoint:
    return create_endpoint(organization_id=vendor.organization.pk, url=URL, now=NOW)


def make_deliveries(vendor: Vendor, count: int) -> list[WebhookDelivery]:
    announce(
        [
            Announcement(vendor.organization.pk, "invoice.paid", f"inv_{one}", {"note": "<script>"}, NOW)
            for one in range(count)
        ]
    )
    distribute_events(now=NOW)
    return list(WebhookDelivery.objects.order_by("id"))


def make_mail(vendor: Vendor, key: str = "k", kind: str = "payment_reminder", **changes: Any) -> Mail:
    context = {
        "customer": "<b>Acme</b>",
        "link": "https://billing.example.com/portal/secret",
        "invoice": {
            "number": "INV-1",
            "currency": "USD",
            "total": "10",
            "amount_due": "10",
            "due_at": "2026-11-30T00:00:00Z",
        },
    }
    queue_mail(
        organization_id=vendor.organization.pk, kind=kind, to=["ap@acme.example"], context=context, key=key, at=NOW
    )
    Mail.objects.filter(key=key).update(**changes)
    return Mail.objects.get(key=key)


def test_without_endpoints_and_mail_the_pages_say_what_to_do(vendor: Vendor) -> None:
    assert "No endpoints yet" in vendor.client.get("/webhooks").content.decode()
    assert "No mail yet" in vendor.client.get("/mail").content.decode()


def test_an_endpoint_is_made_and_its_secret_shown_once(vendor: Vendor) -> None:
    form = {"url": URL, "description": "ERP", "event_types": ["invoice.paid"], "form_token": "a"}
    assert "ask for your password" in vendor.client.get("/webhooks/new").content.decode()
    assert 'name="confirming_password"' in vendor.client.post("/webhooks/new", form).content.decode()
    assert not WebhookEndpoint.objects.exists()
    client = confirmed(vendor.client)
    for _ in range(2):
        made = client.post("/webhooks/new", form)
        assert made.status_code == 302
    endpoint = WebhookEndpoint.objects.get()
    shown = client.get(made.url).content.decode()
    assert reveal_secret(endpoint) in shown
    assert "whsec_" not in client.get(made.url).content.decode()
    refused = client.post("/webhooks/new", {"url": "http://10.0.0.1/"})
    assert refused.status_code == 422
    assert "address of this network" in refused.content.decode()


def test_an_endpoint_is_changed_rotated_disabled_enabled_and_removed(vendor: Vendor) -> None:
    endpoint, client = make_endpoint(vendor), confirmed(vendor.client)
    at = f"/webhooks/{endpoint.pk}"
    assert client.post(f"{at}/edit", {"url": URL + "/2", "event_types": []}).status_code == 302
    assert client.post(f"{at}/secret").status_code == 302
    changed = WebhookEndpoint.objects.get()
    assert (changed.url, changed.previous_secret) == (URL + "/2", endpoint.secret)
    assert reveal_secret(changed) in client.get(at).content.decode()
    client.post(f"{at}/enabled", {"enabled": "0"})
    assert WebhookEndpoint.objects.get().disabled_for == "by_hand"
    assert "disabled" in client.get(at).content.decode()
    assert "enable it first" in client.post(f"{at}/test", follow=True).content.decode()
    client.post(f"{at}/enabled", {"enabled": "1"})
    client.post(f"{at}/test")
    assert WebhookEvent.objects.get().type == "webhook.test"
    client.post(f"{at}/remove")
    assert not WebhookEndpoint.objects.exists()


def test_a_delivery_shows_what_was_sent_and_is_sent_again(vendor: Vendor) -> None:
    endpoint = make_endpoint(vendor)
    one, other = make_deliveries(vendor, 2)
    WebhookDelivery.objects.update(status="failed", next_attempt_at=None, finished_at=NOW, last_error="status_500")
    listed = vendor.client.get(f"/webhooks/{endpoint.pk}?status=failed").content.decode()
    assert one.public_id in listed
    assert "No delivery fits" in vendor.client.get(f"/webhooks/{endpoint.pk}?subject=none").content.decode()
    page = vendor.client.get(f"/webhook-deliveries/{one.public_id}").content.decode()
    assert "status_500" in page
    assert "&lt;script&gt;" in page
    vendor.client.post(f"/webhook-deliveries/{one.public_id}/replay")
    assert WebhookDelivery.objects.get(pk=one.pk).status == "due"
    answer = vendor.client.post(f"/webhooks/{endpoint.pk}/failed", {"since": "2026-11-01"}, follow=True)
    assert "1 deliveries are sent again" in answer.content.decode()
    assert WebhookDelivery.objects.get(pk=other.pk).status == "due"


def test_a_disabled_endpoint_is_noticed_in_the_console(vendor: Vendor) -> None:
    endpoint = make_endpoint(vendor)
    WebhookEndpoint.objects.update(enabled=False, disabled_for="failing", disabled_at=NOW, failing_since=NOW)
    for path in ("/webhooks", f"/webhooks/{endpoint.pk}"):
        assert "nothing arrived for days" in vendor.client.get(path).content.decode()


def test_long_lists_are_paged_and_ask_no_more_the_longer_they_are(vendor: Vendor) -> None:
    endpoint = make_endpoint(vendor)
    counts = []
    for number in (3, 60):
        make_deliveries(vendor, number)
        for one in range(number):
            make_mail(vendor, f"{number}-{one}")
        with CaptureQueriesContext(connection) as queries:
            first = vendor.client.get(f"/webhooks/{endpoint.pk}").content.decode()
            mail = vendor.client.get("/mail").content.decode()
        counts.append(len(queries))
    assert counts[0] == counts[1]
    for page, path in ((first, f"/webhooks/{endpoint.pk}"), (mail, "/mail")):
        older = page.split("cursor=")[1].split('"')[0]
        assert vendor.client.get(f"{path}?cursor={older}").status_code == 200


def test_roles_see_and_do_what_is_theirs(vendor: Vendor) -> None:
    endpoint, mail = make_endpoint(vendor), make_mail(vendor, status="failed", last_error="no such user")
    finance, developer, viewer = (vendor.member(role) for role in ("finance", "developer", "viewer"))
    assert [one.get("/webhooks").status_code for one in (developer, finance, viewer)] == [200, 403, 403]
    assert viewer.post(f"/webhooks/{endpoint.pk}/enabled", {"enabled": "0"}).status_code == 403
    assert [one.get("/mail").status_code for one in (developer, finance, viewer)] == [200, 200, 200]
    assert developer.post(f"/mail/{mail.pk}/retry").status_code == 403
    assert "Send again" not in viewer.get(f"/mail/{mail.pk}").content.decode()
    assert finance.post(f"/mail/{mail.pk}/retry").status_code == 302
    assert Mail.objects.get().status == "queued"


def test_nothing_of_another_organization_is_shown(vendor: Vendor) -> None:
    endpoint, mail = make_endpoint(vendor), make_mail(vendor)
    [delivery] = make_deliveries(vendor, 1)
    other = make_vendor("Other Vendor").client
    paths = [
        f"/webhooks/{endpoint.pk}",
        f"/webhooks/{endpoint.pk}/edit",
        f"/webhook-deliveries/{delivery.public_id}",
        f"/mail/{mail.pk}",
        f"/mail/{mail.pk}/html",
    ]
    assert [other.get(path).status_code for path in paths] == [404] * 5


@pytest.mark.parametrize("kind", MAIL_KINDS)
def test_every_kind_of_mail_can_be_looked_at(vendor: Vendor, kind: str) -> None:
    assert "sandbox" in vendor.client.get(f"/mail/previews?kind={kind}").content.decode()
    framed = vendor.client.get(f"/mail/previews/{kind}")
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    assert "script-src" not in framed["Content-Security-Policy"]
    assert framed["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_mail_is_shown_as_it_reads_and_a_secret_one_is_not(vendor: Vendor) -> None:
    mail, secret = make_mail(vendor), make_mail(vendor, "s", kind="portal_link")
    page = vendor.client.get(f"/mail/{mail.pk}").content.decode()
    assert "Reminder: invoice INV-1" in page
    html = vendor.client.get(f"/mail/{mail.pk}/html").content.decode()
    assert "&lt;b&gt;Acme" in html
    assert "portal/secret" not in vendor.client.get(f"/mail/{secret.pk}").content.decode()
    assert vendor.client.get(f"/mail/{secret.pk}/html").status_code == 404


def test_settings_of_mail_are_changed(vendor: Vendor) -> None:
    sent = [kind for kind in MAIL_KINDS if kind != "payment_reminder"]
    form = {"sender_name": "Vendor Billing", "reply_to": "b@vendor.example", "accent": "#ffee00", "sent": sent}
    assert vendor.client.post("/mail/settings", form).status_code == 302
    chosen = MailSettings.objects.get()
    assert (chosen.sender_name, chosen.switched_off) == ("Vendor Billing", ["payment_reminder"])
    wrong = vendor.client.post("/mail/settings", {**form, "accent": "red;background:url(x)"})
    assert wrong.status_code == 422


ATTACK = '<div hx-post="/members/invite" hx-trigger="load" hx-vals=\'{"email": "evil@example.com", "role": "owner"}\'>'


def test_what_a_mail_says_is_text_in_the_console(vendor: Vendor) -> None:
    """A customer's name must not act in the browser of who looks at its mail."""
    queued = make_mail(vendor)
    Mail.objects.update(context={**queued.context, "customer": ATTACK})
    page = vendor.client.get(f"/mail/{queued.pk}").content.decode()
    assert "&lt;div hx-post=" in page
    assert "<div hx-post=" not in page
    assert '<pre class="code wrapped" tabindex="0" hx-disable>' in page


def test_a_mail_in_html_is_shown_in_a_sandbox(vendor: Vendor) -> None:
    queued = make_mail(vendor)
    Mail.objects.update(context={**queued.context, "customer": ATTACK})
    answer = vendor.client.get(f"/mail/{queued.pk}/html")
    assert "<div hx-post=" not in answer.content.decode()
    assert "sandbox" in answer.headers["Content-Security-Policy"].split("; ")
