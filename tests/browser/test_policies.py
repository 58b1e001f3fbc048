"""The admin and the API's documentation work under their content security policies."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, expect

from accounts.facade import User
from tests.browser.conftest import BrowserAs
from tests.browser.site import Site


def test_the_admin_and_the_documentation_work_under_their_policies(site: Site, browser_as: BrowserAs) -> None:
    root = User.objects.create_superuser("root@northwind.example", "checker cab 1971")
    page = browser_as(root)
    refused: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            refused.append(f"{page.url}: {message.text}")

    page.on("console", hear)
    for path in ("/admin/", "/admin/accounts/user/", "/admin/billing/invoice/", "/admin/accounts/user/add/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
    page.goto(f"/admin/accounts/user/{root.pk}/change/")
    # Alpine works: it compiles the expressions of the menus.
    assert page.evaluate("() => typeof window.Alpine") == "object"
    page.goto("/api/docs/")
    expect(page.locator(".opblock").first).to_be_visible(timeout=60_000)
    page.locator(".opblock-summary-control").first.click()
    assert refused == []
