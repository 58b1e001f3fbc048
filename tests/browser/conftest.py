"""Chromium, the running system, and browsers in which somebody is signed in. `README.md` says how they are used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Error, Page, Playwright, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from accounts.facade import User
from launcher.services import Services
from tests.browser.chromium import find_chromium, launch
from tests.browser.site import Site, running_site
from tests.console.conftest import signed_in

BrowserAs = Callable[..., Page]

#: How long anything may take to show, in milliseconds: a busy machine is no failure.
_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)


def _chromium() -> str:
    if found := find_chromium():
        return found
    reason = "There is no Chromium: apt-get install chromium, or name one in TAXIMETER_CHROMIUM"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


# As long as these tests, not the session: Playwright's loop runs in this thread, where other tests could start none.
@pytest.fixture(scope="package")
def _playwright() -> Iterator[Playwright]:
    # Django would refuse to work in a thread with a loop.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    path = _chromium()
    playwright: Playwright = request.getfixturevalue("_playwright")
    browser = launch(playwright, path)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def _running(
    browser: Browser, services: Services, _system_template: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    with django_db_blocker.unblock(), running_site(services) as site:
        yield site


@pytest.fixture
def site(_running: Site, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """The running system, whose database the test's own queries go to as well."""
    with django_db_blocker.unblock(), _running.database():
        yield _running


@pytest.fixture
def browser_as(site: Site, browser: Browser) -> Iterator[BrowserAs]:
    """`browser_as(user)`: a page in a browser of its own. Errors in its scripts fail the test."""
    contexts, errors = [], []

    def open_for(
        user: User | None,
        *,
        width: int = 1280,
        dark: bool = False,
        javascript: bool = True,
        locale: str = "en-US",
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            base_url=site.address,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            locale=locale,
            timezone_id="UTC",
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        if user is not None:
            name = django_settings.SESSION_COOKIE_NAME
            # The server hashes passwords again that were hashed in fewer iterations, and a session follows the hash.
            cookie = signed_in(User.objects.get(pk=user.pk)).cookies[name].value
            context.add_cookies([{"name": name, "value": cookie, "url": site.address}])
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(_told(page, error)))
        return page

    yield open_for
    for context in contexts:
        context.close()
    assert not errors, errors


def _told(page: Page, error: Error) -> str:
    return f"{page.url}: {error.message}"
