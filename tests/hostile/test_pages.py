"""Text never becomes markup: every page of the console, the portal and the administration, with payloads in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from accounts.facade import create_user
from collection.facade import payment_link
from console import urls
from console.portal import urls as portal_urls
from tests.browser.site import Site
from tests.console.conftest import PASSWORD, signed_in
from tests.console.test_portal import customer_of, open_portal
from tests.hostile.furnishing import SAID, hostile_site
from tests.hostile.payloads import MARK, faults_of

pytestmark = pytest.mark.django_db(transaction=True)

#: Pages about what events name, which no path can hold.
_OF_EVENTS = [
    "/agents", "/models", "/events", "/tasks", f"/agent?{urlencode({'agent': SAID})}", "/customers",
    f"/agent/tasks?{urlencode({'agent': SAID})}", f"/task?{urlencode({'id': SAID})}", "/?period=last_30_days",
    f"/models?{urlencode({'model': SAID})}", f"/events?{urlencode({'agent': SAID})}", "/agents?period=last_30_days",
    f"/?{urlencode({'agent': SAID, 'period': 'last_30_days'})}", f"/parts/agent?{urlencode({'agent': SAID})}",
    f"/parts/customer?{urlencode({'customer': SAID})}", f"/customers?{urlencode({'q': MARK})}", "/customers/choices",
    f"/invoices?{urlencode({'customer': MARK})}", f"/audit?{urlencode({'actor': SAID})}",
]  # fmt: skip


@pytest.fixture
def site() -> Site:
    return hostile_site()


def test_text_becomes_markup_on_no_page_of_the_console(site: Site) -> None:
    client = site.vendor.client
    assert client.post("/confirm", {"password": PASSWORD, "next": "/"}).status_code == 302
    looked_at = _look(client, [*console_addresses(site), *_OF_EVENTS])
    assert looked_at > 60  # pages with payloads: the sweep sees them


def test_text_becomes_markup_on_no_page_of_the_portal(site: Site) -> None:
    client = open_portal(site.vendor, customer_of(site.vendor, "birch"))
    pay = payment_link(site.vendor.invoice_of("birch"))
    addresses = [*portal_addresses(site), f"/portal/task?{urlencode({'id': SAID})}"]
    addresses += [pay.removeprefix("http://127.0.0.1:8000")] if pay else []
    assert _look(client, addresses) > 7


def test_text_becomes_markup_on_no_page_of_the_administration(site: Site) -> None:
    client = signed_in(create_user(email="root@example.com", password=PASSWORD, is_superuser=True))
    addresses = [reverse("admin:index")]
    for model in admin.site._registry:
        where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses.append(reverse(f"{where}_changelist"))
        rows = model._default_manager.order_by("-pk")[:2]
        addresses += [reverse(f"{where}_change", args=[row.pk]) for row in rows]
        addresses += [reverse(f"{where}_delete", args=[row.pk]) for row in rows[:1]]
    assert _look(client, addresses) > 80


def console_addresses(site: Site) -> Iterator[str]:
    """Each address of the console, whatever is behind it."""
    for pattern in _patterns(urls.urlpatterns):
        if pattern.name == "sign_out":
            continue
        kwargs = {name: site.examples[name] for name in pattern.pattern.converters}
        yield reverse(f"console:{pattern.name}", kwargs=kwargs) + site.queries.get(pattern.name, "")


def portal_addresses(site: Site) -> list[str]:
    """Each address of the portal, whatever is behind it."""
    return [
        reverse(f"portal:{one.name}", kwargs={name: site.examples.get(name, "x") for name in one.pattern.converters})
        for one in portal_urls.urlpatterns
        if one.name not in {"sign_out", "open"}
    ]


def _patterns(found: list[Any]) -> Iterator[URLPattern]:
    for one in found:
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns)
        else:
            yield one


def _look(client: Client, addresses: list[str]) -> int:
    """Fail where text became markup or a page failed; returns how many pages showed a payload."""
    wrong: dict[str, Any] = {}
    shown = 0
    client.raise_request_exception = False
    for address in addresses:
        for headers in ({}, {"HX-Request": "true"}):
            answer = client.get(address, headers=headers)
            if answer.status_code >= 500:
                wrong[address] = f"{answer.status_code} {getattr(answer, 'exc_info', '')!r}"[:300]
            if answer.streaming or answer.status_code != 200:
                continue
            if answer.headers.get("X-Content-Type-Options") != "nosniff":
                wrong[address] = "a browser may take it for something else"
            page = answer.content.decode(errors="replace")
            if not answer.headers["Content-Type"].startswith("text/html"):
                continue
            shown += MARK in page
            if faults := faults_of(page):
                wrong[address] = faults[:5]
    assert not wrong
    return shown


def test_the_sweep_finds_text_that_became_markup() -> None:
    """The sweep itself: what it looks for is found in a page that escapes nothing."""
    assert len(faults_of(f"<p>{SAID}</p>")) >= 3
    assert faults_of(f'<a href="javascript:{MARK}">x</a>')
    assert faults_of(f'<div hx-vals="{MARK}"></div>')
    assert not faults_of(f'<p title="{MARK} &lt;b&gt;">{MARK} &lt;b&gt;</p>')
