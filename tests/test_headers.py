"""Security headers stand on every response of every address, and production insists on https."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.facade import User
from launcher.paths import ROOT
from tests.console.conftest import PASSWORD, make_vendor, signed_in

pytestmark = pytest.mark.django_db

#: Something for each kind of parameter; most name nothing.
_EXAMPLES = {"uuid": "00000000-0000-0000-0000-000000000000", "int": "1", "slug": "usage", "str": "x", "path": "x"}


def addresses(resolver: Any = None, prefix: str = "/") -> Iterator[str]:
    """All addresses there are, with examples in place of parameters."""
    for one in (resolver or get_resolver()).url_patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from addresses(one, path)
        elif "(?P" not in path:
            yield re.sub(r"<(?:(\w+):)?\w+>", lambda found: _EXAMPLES[found[1] or "str"], path)


REQUIRED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def test_every_response_of_every_address_has_them() -> None:
    vendor = make_vendor("Northwind")
    User.objects.filter(pk=vendor.user.pk).update(is_staff=True, is_superuser=True)
    clients = [Client(), signed_in(User.objects.get(pk=vendor.user.pk))]
    paths = {
        *addresses(),
        "/no-such-page",
        "/static/console/no-such-file.js",
        "/api/docs/?script=",
        "/admin/accounts/user/",
    }
    assert len(paths) > 250
    for path in sorted(paths):
        for client in clients:
            answer = client.get(path)
            for name, value in REQUIRED.items():
                assert answer.headers.get(name) == value, (path, name, answer.headers.get(name))
            assert "camera=()" in answer.headers["Permissions-Policy"], path
            assert answer.headers["X-Frame-Options"] in {"DENY", "SAMEORIGIN"}, path
            policy = answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy or answer.headers["X-Frame-Options"] == "SAMEORIGIN", (
                path,
                policy,
            )
            scripts = [one for one in policy.split("; ") if one.startswith("script-src")]
            assert "'unsafe-inline'" not in " ".join(scripts), path
            assert path.startswith("/admin/") or "'unsafe-eval'" not in policy, path


def test_the_documentation_runs_scripts_of_files_alone() -> None:
    page = Client().get("/api/docs/")
    assert "<script>" not in page.content.decode()
    script = Client().get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert b"/api/v1/schema/" in script.content


def test_production_insists_on_https_for_a_year_and_closes_its_cookies(tmp_path: Any) -> None:
    script = (
        "import django; django.setup()\n"
        "from django.conf import settings as s\n"
        "from django.test import RequestFactory\n"
        "from django.middleware.security import SecurityMiddleware\n"
        "from django.http import HttpResponse\n"
        "secure = RequestFactory().get('/', secure=True)\n"
        "print(SecurityMiddleware(lambda r: HttpResponse())(secure)['Strict-Transport-Security'])\n"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.CSRF_COOKIE_HTTPONLY)\n"
        "print(s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_SAMESITE, s.SECURE_SSL_REDIRECT, s.TRUSTED_PROXIES)\n"
        "print(s.SESSION_IDLE_SECONDS, s.SESSION_COOKIE_AGE)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TAXIMETER_", "SECURE_"))}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "production key " * 5,
        "ALLOWED_HOSTS": "testserver",
        "TAXIMETER_VAR": str(tmp_path),
    }
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:4] == [
        "max-age=31536000",
        "True True True True",
        "Lax Lax True ()",
        "43200 1209600",
    ], done.stderr


def test_cookies_of_the_console_are_closed_to_scripts_and_other_sites() -> None:
    make_vendor("Northwind")
    browser = Client()
    browser.get("/sign-in")
    browser.post("/sign-in", {"username": "owner@northwind.example", "password": PASSWORD})
    for name in ("sessionid", "csrftoken"):
        assert browser.cookies[name]["httponly"] is True, name
        assert browser.cookies[name]["samesite"] == "Lax", name
