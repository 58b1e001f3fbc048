"""Control characters typed into any form of the console or the portal reach no column of the database.

Forms are found on the pages, and their text fields in the forms: a new page or field is tried as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from django.apps import apps
from django.db import connection, models
from django.test import Client

from tests.console.conftest import PASSWORD
from tests.console.test_portal import customer_of, open_portal
from tests.hostile.furnishing import plain_site
from tests.hostile.poison import ROOMS
from tests.hostile.test_pages import console_addresses, portal_addresses

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = "zqx8\x1bzqx8"
_TYPES = {"text", "search", "email", "url", "tel", "", None}


@dataclass
class Form:
    action: str = ""
    values: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms of a page that are sent by POST, as a browser would fill them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._form = Form(given.get("action") or "") if (given.get("method") or "").lower() == "post" else None
            if self._form:
                self.found.append(self._form)
        if self._form is None:
            return
        name, value = given.get("name") or "", given.get("value") or ""
        kind = given.get("type")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self._form.values):
            self._form.values[self._select] = value
        elif tag == "textarea" and name:
            self._form.values[name] = ""
            self._form.texts.append(name)
        elif tag == "button" and name:
            self._form.values.setdefault(name, value)
        elif tag == "input" and name and (kind not in {"checkbox", "radio"} or "checked" in given):
            self._form.values[name] = value
            if kind in _TYPES:
                self._form.texts.append(name)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""


def test_no_form_lets_a_control_character_into_the_database() -> None:
    site = plain_site()
    portal = open_portal(site.vendor, customer_of(site.vendor, "birch"))
    client = site.vendor.client
    confirmed = client.post("/confirm", {"password": PASSWORD, "next": "/"})
    assert confirmed.status_code == 302
    tried = _type_into(client, list(console_addresses(site))) + _type_into(portal, portal_addresses(site))
    assert tried > 60  # texts: the sweep sees them
    assert list(_kept()) == []


def _type_into(client: Client, addresses: list[str]) -> int:
    client.raise_request_exception = False
    tried: set[tuple[str, str]] = set()
    for address in addresses:
        page = client.get(address)
        if page.status_code != 200 or page.streaming or not page.headers["Content-Type"].startswith("text/html"):
            continue
        forms = Forms()
        forms.feed(page.content.decode())
        for form in forms.found:
            target = urljoin(address, form.action)
            for name in form.texts:
                if (target.partition("?")[0], name) not in tried and "password" not in name:
                    tried.add((target.partition("?")[0], name))
                    answer = client.post(target, form.values | {name: TYPED})
                    assert answer.status_code < 500, (target, name)
    return len(tried)


def _kept() -> Iterator[str]:
    """The columns that hold what was typed."""
    with connection.cursor() as cursor:
        for model in (one for room in ROOMS for one in apps.get_app_config(room).get_models()):
            for one in model._meta.concrete_fields:
                if isinstance(one, models.CharField | models.TextField | models.JSONField) and model._meta.managed:
                    sql = f'SELECT 1 FROM "{model._meta.db_table}" WHERE "{one.column}"::text ~ %s LIMIT 1'
                    cursor.execute(sql, ["zqx8(\x1b|\\\\u001b)zqx8"])
                    if cursor.fetchone():
                        yield f"{model._meta.label}.{one.name}"
