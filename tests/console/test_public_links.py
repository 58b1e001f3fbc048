"""Links that are sent or kept lead to `TAXIMETER_PUBLIC_URL`, whatever a request claims to be its host."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.urls import reverse

from config import environment, reaching
from notifications.models import Mail
from rest.links import public_link
from tests.api import make_api
from tests.console.conftest import Vendor
from tests.console.test_members import confirmed

HOSTILE = "evil.example"
#: Every header by which a client or a proxy names a host or scheme.
HEADERS = {
    "HTTP_HOST": HOSTILE,
    "HTTP_X_FORWARDED_HOST": HOSTILE,
    "HTTP_X_FORWARDED_SERVER": HOSTILE,
    "HTTP_X_FORWARDED_PREFIX": f"//{HOSTILE}",
    "HTTP_X_HOST": HOSTILE,
    "HTTP_X_ORIGINAL_URL": f"https://{HOSTILE}/",
    "HTTP_FORWARDED": f"host={HOSTILE};proto=https",
    "HTTP_REFERER": f"https://{HOSTILE}/",
    "SERVER_NAME": HOSTILE,
}


def texts_of_database() -> str:
    """All rows of all tables as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_request_plants_its_host_in_a_link(vendor: Vendor, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]  # a wrong setting, or a server that answers for several hosts
    settings.PUBLIC_URL = "https://billing.northwind.example"
    customer = vendor.customer("hopper", email="billing@hopper.example")
    confirmed(vendor.client)
    # Nobody is signed in, or the client of a member who opened the console by another host.
    browser, outsider = vendor.client, Client()
    answers = [
        outsider.post("/password", {"email": vendor.user.email}, **HEADERS),
        outsider.post("/portal/sign-in", {"email": "billing@hopper.example"}, **HEADERS),
        browser.post("/members/invite", {"email": "new@northwind.example", "role": "viewer"}, **HEADERS),
        browser.post(f"/customers/{customer.pk}/portal/link", {}, **HEADERS),
        browser.post(f"/customers/{customer.pk}/portal/link", {"send": "1"}, **HEADERS),
        browser.get("/", **HEADERS),
        browser.get("/customers", **HEADERS),
        browser.get("/plans", **HEADERS),
        browser.get(f"/customers/{customer.pk}", **HEADERS),
        browser.get("/meters", **HEADERS),
        browser.get("/agents", **HEADERS),
        browser.get("/events", **HEADERS),
    ]
    api = make_api("Other vendor")
    api.customer("brock", name="Brock", email="b@brock.example")
    invited = json.dumps({"email": "x@example.com", "role": "viewer"})
    for path, body in [("/api/v1/invitations", invited), ("/api/v1/customers/brock/portal_link", "{}")]:
        answers.append(api.client.post(path, body, content_type="application/json", **HEADERS))
        assert answers[-1].status_code == 201, answers[-1].content
    answers.append(api.client.get("/api/v1/schema/", **HEADERS))
    for answer in answers:
        assert answer.status_code < 400
        assert HOSTILE not in answer.content.decode().replace(f"https://{HOSTILE}/", "")
        assert HOSTILE not in answer.headers.get("Location", "")
    assert {one.kind for one in Mail.objects.all()} >= {"password_reset", "portal_link", "member_invited"}
    links = [one.context["link"] for one in Mail.objects.all() if "link" in one.context]
    assert len(links) >= 4
    assert all(link.startswith("https://billing.northwind.example/") for link in links)
    assert HOSTILE not in texts_of_database()


def test_no_code_makes_addresses_from_requests() -> None:
    rooms = [
        one
        for one in environment.ROOT.iterdir()
        if (one / "__init__.py").exists() and one.name not in {"tests", "launcher"}
    ]
    files = [file for room in rooms for kind in ("*.py", "*.html") for file in room.rglob(kind)]
    assert len(files) > 300
    for word in ("build_absolute_uri", "get_current_site", "request.get_host }}", "_get_scheme"):
        assert [str(file) for file in files if word in file.read_text()] == [], word


def test_a_public_link_is_the_public_address_and_the_path(settings: Any) -> None:
    settings.PUBLIC_URL = "https://billing.example.com:8443"
    assert public_link("pay", "abc") == "https://billing.example.com:8443" + reverse("pay", args=["abc"])


@pytest.mark.parametrize(
    "url",
    [
        "billing.example.com",
        "ftp://x.example",
        "https://",
        "https://a.example/app",
        "https://u:p@a.example",
        "https://a.example?x",
        "javascript:alert(1)",
    ],
)
def test_a_public_address_that_is_none_stops_the_process(url: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("TAXIMETER_PUBLIC_URL", url)
    with pytest.raises(ImproperlyConfigured, match="TAXIMETER_PUBLIC_URL"):
        reaching.public_url("http://127.0.0.1:8000")
