"""A webhook endpoint from its form to what it received, in a browser."""

from __future__ import annotations

from kernel.clock import system_clock
from notifications.models import WebhookEndpoint
from notifications.sending.requests import Rules
from notifications.sending.webhooks import Terms, send_webhooks
from tests.browser.axe import assert_accessible
from tests.browser.conftest import BrowserAs
from tests.browser.site import Site
from tests.console.conftest import PASSWORD, make_vendor
from tests.notifications.conftest import LOOPBACK, Receiver, receiver

__all__ = ["receiver"]


def test_an_endpoint_is_made_tested_and_its_delivery_looked_at(
    site: Site, browser_as: BrowserAs, receiver: Receiver
) -> None:
    vendor = make_vendor("Webhooks in a browser")
    page = browser_as(vendor.user)
    page.goto("/webhooks")
    page.get_by_role("link", name="New endpoint").click()
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_label("invoice.paid").check()
    page.get_by_role("button", name="Make it").click()
    page.get_by_label("Password").fill("not this one")
    page.keyboard.press("Enter")
    page.get_by_text("This is not your password.").wait_for()
    assert_accessible(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    secret = page.get_by_label("Signing secret").input_value()
    assert secret.startswith("whsec_")
    page.get_by_role("button", name="Send a test").click()
    assert page.get_by_label("Signing secret").count() == 0
    terms = Terms(schedule=(1,), rules=Rules(allows_http=True, allowed=LOOPBACK))
    assert send_webhooks(terms=terms, clock=system_clock, seconds=20) >= 1
    assert receiver.received[0].is_signed_with(secret)
    page.reload()
    page.get_by_role("link", name="webhook.test").click()
    assert page.get_by_text("delivered").is_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Send again").click()
    assert page.get_by_text("It is sent once more, under the same id.").is_visible()
    page.get_by_role("link", name=receiver.url).click()
    page.get_by_role("button", name="Disable").click()
    assert WebhookEndpoint.objects.get(organization=vendor.organization).disabled_for == "by_hand"
