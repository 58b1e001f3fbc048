"""Pictures of the main pages, light and dark, for README and docs: `make screenshots`.

They are taken in Chromium of a running system with an organization made up for it (`showcase.py`).
"""

from __future__ import annotations

import base64
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import _services as services  # it sets Django up for servers of its own

# isort: split
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from accounts.facade import create_portal_link, create_user
from agents.facade import TaskQuestion, list_tasks
from billing.facade import get_customer, invoices_of
from console.queries.health import signs
from kernel.clock import system_clock
from launcher.paths import ROOT
from tests.browser.chromium import find_chromium, launch
from tests.browser.showcase import make_showcase
from tests.browser.site import Site
from tests.console.conftest import PASSWORD, Vendor, signed_in
from tests.system import migrate_template, system_on

FOLDER = ROOT / "docs" / "images"
#: A picture that is larger is too much for a README.
MOST_BYTES = 150_000
QUALITY = 85
WIDTH, HEIGHT = 1280, 800
#: How long schedule and workers are given to carry all of it forward, in seconds.
_PATIENCE = 90.0

Show = Callable[[Page], None]


def main() -> None:
    path = find_chromium()
    if path is None:
        sys.exit("There is no Chromium: apt-get install chromium, or name one in TAXIMETER_CHROMIUM")
    migrate_template(services.start())
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread
    try:
        with system_on(services) as system:
            site = Site(system)
            system.start("web", "worker", "beat")
            with site.database(), sync_playwright() as playwright:
                site.vendor = make_showcase(system_clock())
                _wait_until_carried_forward(site)
                browser = launch(playwright, path)
                taken = _take_all(site, browser)
                browser.close()
    finally:
        services.stop()
    too_large = [path.name for path in taken if path.stat().st_size > MOST_BYTES]
    for path in taken:
        sys.stdout.write(f"{path.stat().st_size / 1000:6.0f} kB  {path.relative_to(ROOT)}\n")
    if too_large:
        sys.exit(f"Larger than {MOST_BYTES / 1000:.0f} kB: {', '.join(too_large)}")


def _take_all(site: Site, browser: Browser) -> list[Path]:
    operator = create_user(email="operator@example.com", password=PASSWORD, is_superuser=True)
    invoice = _invoice(site.vendor)
    pages: list[tuple[str, str, Show | None]] = [
        ("console-overview", "/?period=last_30_days", None),
        ("console-customer", f"/customers/{get_customer(organization_id=_of(site), customer='acme').pk}", None),
        ("console-agents", "/agents?period=last_30_days", None),
        ("console-task", f"/task?id={_task(site)}", None),
        ("console-models", "/models?period=last_30_days", None),
        ("console-plan", "/plan/outcome", None),
        ("console-invoice", f"/invoices/{invoice}", _unfold),
        ("console-runs", "/runs", _health),
    ]
    taken = []
    for dark in (False, True):
        context = _context(site, browser, signed_in_as=site.vendor.client, dark=dark)
        taken += [_take(context, *page, dark=dark) for page in pages]
        context.close()
        context = _context(site, browser, dark=dark)
        _enter_portal(site, context)
        taken.append(_take(context, "portal-overview", "/portal/", None, dark=dark))
        context.close()
        context = _context(site, browser, signed_in_as=signed_in(operator), dark=dark)
        taken.append(_take(context, "administration", "/admin/billing/invoice/", None, dark=dark))
        context.close()
    return taken


def _context(site: Site, browser: Browser, *, dark: bool, signed_in_as: Client | None = None) -> BrowserContext:
    context = browser.new_context(
        base_url=site.address,
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="dark" if dark else "light",
        locale="en-US",
        timezone_id="UTC",
    )
    context.set_default_timeout(60_000)
    if signed_in_as is not None:
        name = settings.SESSION_COOKIE_NAME
        value = signed_in_as.cookies[name].value
        context.add_cookies([{"name": name, "value": value, "url": site.address}])
    return context


def _take(context: BrowserContext, name: str, address: str, show: Show | None, *, dark: bool) -> Path:
    page = context.new_page()
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200, f"{address}: {answer.status}"
    page.wait_for_load_state("load")
    if show:
        show(page)
    page.wait_for_timeout(800)  # charts are drawn, what loads on demand is there
    path = FOLDER / f"{name}{'-dark' if dark else ''}.webp"
    # Playwright itself writes no WebP, which is a third of a PNG's size.
    taken = context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path.write_bytes(base64.b64decode(taken["data"]))
    page.close()
    return path


def _unfold(page: Page) -> None:
    line = page.locator("details.line", has_text="Turns").first
    line.locator("summary").first.click()
    line.locator(".events table tbody tr").first.wait_for()


def _health(page: Page) -> None:
    page.locator("#signs table").wait_for()


def _enter_portal(site: Site, context: BrowserContext) -> None:
    customer = get_customer(organization_id=_of(site), customer="acme")
    _, link = create_portal_link(
        organization=site.vendor.organization,
        customer=customer.pk,
        now=system_clock(),
        link_of=lambda token: f"/portal/open/{token}",
    )
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Open the portal").click()
    page.get_by_role("heading", name="Overview").wait_for()
    page.close()


def _of(site: Site) -> int:
    return int(site.vendor.organization.pk)


def _invoice(vendor: Vendor) -> str:
    return str(invoices_of(vendor.organization.pk, customer="acme").latest("pk").pk)


def _task(site: Site) -> str:
    """A task of several turns which a customer is charged for by the unit."""
    asked = TaskQuestion(organization_id=_of(site), customer="birch", outcome="succeeded")
    found, _ = list_tasks(asked, limit=50)
    return str(max(found, key=lambda one: one.totals.turns).task_id)


def _wait_until_carried_forward(site: Site) -> None:
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        found = signs(organization_id=_of(site), now=system_clock())
        if all(one.state in {"fine", "off"} and one.since is None for one in found):
            return
        time.sleep(1)


if __name__ == "__main__":
    main()
