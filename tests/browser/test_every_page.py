"""Each page of the console: whole, readable by everyone, in light and dark, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, reverse

from console import urls
from tests.browser.axe import assert_accessible, assert_fits
from tests.browser.conftest import BrowserAs
from tests.browser.site import Site


def _patterns(found: list[Any]) -> list[URLPattern]:
    return [
        pattern for one in found for pattern in (_patterns(one.url_patterns) if isinstance(one, URLResolver) else [one])
    ]


PAGES = sorted({pattern.name: pattern for pattern in _patterns(urls.urlpatterns)}.items())


@pytest.mark.parametrize(("name", "pattern"), PAGES, ids=[name for name, _ in PAGES])
def test_a_page_is_accessible_and_fits_a_phone(
    site: Site, browser_as: BrowserAs, name: str, pattern: URLPattern
) -> None:
    parameters = pattern.pattern.converters
    missing = set(parameters) - set(site.examples)
    assert not missing, f"tests/browser/site.py needs an example of {missing}"
    address = reverse(f"console:{name}", kwargs={key: site.examples[key] for key in parameters})
    address += site.queries.get(name, "")
    answer = site.vendor.client.get(address)
    leads_away = name == "provider_sign_in"  # to the pages of a provider
    # Axe cannot run in a page that allows no scripts at all, such as a mail's.
    is_sandboxed = "sandbox" in answer.headers.get("Content-Security-Policy", "")
    skips = leads_away or is_sandboxed or answer.status_code in {204, 302, 405}
    if skips or answer.streaming or not _is_page(answer):
        pytest.skip("not a page that is opened by GET")
    user = None if name == "sign_in" else site.vendor.user
    page = browser_as(user, width=375, dark=True)
    opened = page.goto(address)
    assert opened is not None
    # Without a sign-in that was begun, the provider's answer is refused, on a page of its own.
    assert opened.status == (403 if name == "provider_answer" else 200)
    assert_fits(page)
    assert_accessible(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert_fits(page)
    assert_accessible(page, rules=["color-contrast"])


def _is_page(answer: Any) -> bool:
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return is_html and answer.content.lstrip()[:15].lower() == b"<!doctype html>"
