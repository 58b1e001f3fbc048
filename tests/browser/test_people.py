"""The portal as a customer, a viewer who may not, and signing in by two factors, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.facade import add_member, create_portal_link, create_user
from billing.facade import get_customer
from kernel.clock import system_clock
from tests.accounts.test_signing_in import code_of
from tests.browser.axe import assert_accessible, assert_fits
from tests.browser.conftest import BrowserAs
from tests.browser.site import Site
from tests.console.conftest import PASSWORD


def test_a_customer_follows_a_line_to_its_events(site: Site, browser_as: BrowserAs) -> None:
    customer = get_customer(organization_id=site.vendor.organization.pk, customer="birch")
    _, link = create_portal_link(
        organization=site.vendor.organization,
        customer=customer.pk,
        now=system_clock(),
        link_of=lambda token: f"/portal/open/{token}",
    )
    page = browser_as(None)
    page.goto(link)
    page.get_by_role("button", name="Open the portal").click()
    page.get_by_role("heading", name="Overview").wait_for()
    for path in ("", "invoices", "tasks", "task?id=task-birch", "budgets", "keys", "details"):
        page.goto(f"/portal/{path}")
        for width, scheme in ((375, "dark"), (1280, "light")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert_fits(page)
            assert_accessible(page)
            if folder := os.environ.get("TAXIMETER_SHOTS"):
                name = path.partition("?")[0] or "overview"
                page.screenshot(path=str(Path(folder) / f"portal-{name}-{scheme}.png"), full_page=True)
    page.goto("/portal/invoices")
    page.get_by_role("link", name="INV-").first.click()
    page.locator("details.line summary", has_text="Turns").click()
    page.locator("details.line[open] .events table tbody tr").first.wait_for()
    assert_accessible(page)
    other = site.vendor.invoice_of("acme")
    refused = page.goto(f"/portal/invoices/{other.pk}")
    assert refused is not None
    assert refused.status == 404
    assert "Acme" not in page.content()
    page.goto("/")
    assert page.url.endswith("/sign-in?next=/")


def test_a_key_is_made_and_revoked_by_a_customer_who_is_asked_first(site: Site, browser_as: BrowserAs) -> None:
    customer = get_customer(organization_id=site.vendor.organization.pk, customer="birch")
    _, link = create_portal_link(
        organization=site.vendor.organization,
        customer=customer.pk,
        now=system_clock(),
        link_of=lambda token: f"/portal/open/{token}",
    )
    page = browser_as(None, width=375)
    page.goto(link)
    page.get_by_role("button", name="Open the portal").click()
    page.goto("/portal/keys")
    page.get_by_label("Name").fill("night shift")
    page.get_by_role("button", name="Make it").click()
    page.locator("summary", has_text="Revoke").click()
    # What is asked is seen whole: the table grows by it, and cuts nothing off.
    assert page.get_by_role("region", name="Keys").evaluate("one => one.scrollHeight <= one.clientHeight")
    assert_fits(page)
    assert_accessible(page)
    page.get_by_role("button", name="Revoke it").click()
    page.get_by_text("The key opens nothing any more.").wait_for()


def test_a_link_that_was_used_lets_nobody_in_and_says_how_to_get_another(site: Site, browser_as: BrowserAs) -> None:
    customer = get_customer(organization_id=site.vendor.organization.pk, customer="birch")
    _, link = create_portal_link(
        organization=site.vendor.organization,
        customer=customer.pk,
        now=system_clock(),
        link_of=lambda token: f"/portal/open/{token}",
    )
    first, second = browser_as(None, locale="de-DE"), browser_as(None, width=375, dark=True)
    first.goto(link)
    assert_accessible(first)
    first.get_by_role("button", name="Open the portal").click()
    first.get_by_role("heading", name="Overview").wait_for()
    assert "49,00" in first.locator("main").inner_text()  # as it is written in German
    gone = second.goto(link)
    assert gone is not None
    assert gone.status == 404
    assert_accessible(second)
    second.get_by_role("link", name="Ask for a new one").click()
    second.get_by_label("The e-mail address that invoices go to").fill("ap@birch.example")
    assert_fits(second)
    assert_accessible(second)
    second.keyboard.press("Enter")
    second.get_by_text("a link is on its way").wait_for()


def test_a_viewer_is_refused_what_a_viewer_may_not_do(site: Site, browser_as: BrowserAs) -> None:
    viewer = create_user(email="viewer@example.com", password=PASSWORD)
    add_member(organization=site.vendor.organization, user=viewer, role="viewer")
    page = browser_as(viewer)
    page.goto("/invoices")
    assert page.get_by_role("link", name="API keys").count() == 0
    for path in ("/api-keys", "/audit"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 403
    page.goto("/members")
    assert page.get_by_role("button", name="Invite").count() == 0


def test_signing_in_takes_a_second_factor_once_it_is_set_up(site: Site, browser_as: BrowserAs) -> None:
    user = create_user(email="ada@example.com", password=PASSWORD)
    add_member(organization=site.vendor.organization, user=user, role="finance")
    page = browser_as(user)
    page.goto("/security")
    page.get_by_role("link", name="Give it now").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="Set it up").click()
    page.get_by_label("Six digits").fill(code_of(TOTPDevice.objects.get(user=user)))
    assert_accessible(page)
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    assert_accessible(page)
    TOTPDevice.objects.update(last_t=-1)
    other = browser_as(None)
    other.goto("/sign-in")
    other.get_by_label("E-mail address").fill(user.email)
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    other.get_by_label("Code of your app").fill(code_of(TOTPDevice.objects.get(user=user)))
    assert_accessible(other)
    other.get_by_role("button", name="Sign in").click()
    other.locator("main.page").wait_for()
