"""How mail and webhooks are set from the environment."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.notifying import mail_options, webhook_networks, webhook_retries

NAMES = ("EMAIL_URL", "EMAIL_BACKEND", "EMAIL_HOST", "TAXIMETER_WEBHOOK_NETWORKS", "TAXIMETER_WEBHOOK_RETRY_SECONDS")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_settings_mail_becomes_files(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mail_options()["EMAIL_BACKEND"] == "notifications.sending.eml_files.EmailBackend"
    assert mail_options()["EMAIL_FILE_PATH"].endswith("/mail")
    monkeypatch.setenv("EMAIL_URL", "file:///srv/out%20box")
    assert mail_options()["EMAIL_FILE_PATH"] == "/srv/out box"


@pytest.mark.parametrize(
    ("url", "port", "starttls", "tls"),
    [
        ("smtp://mail.example.com", 25, False, False),
        ("smtp+tls://user:p%40ss@mail.example.com", 587, True, False),
        ("smtps://user:p%40ss@mail.example.com:4650", 4650, False, True),
    ],
)
def test_a_mail_server_is_named_by_one_address(
    monkeypatch: pytest.MonkeyPatch, url: str, port: int, starttls: bool, tls: bool
) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    found = mail_options()
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example.com", port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (starttls, tls)
    assert found["EMAIL_HOST_PASSWORD"] == ("p@ss" if "user" in url else "")


def test_djangos_own_names_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_HOST", "mail.example.com")
    assert mail_options()["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    monkeypatch.setenv("EMAIL_BACKEND", "anymail.backends.postmark.EmailBackend")
    assert mail_options()["EMAIL_BACKEND"] == "anymail.backends.postmark.EmailBackend"


@pytest.mark.parametrize(
    "url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://h?tls=1", "smtp://h:x"]
)
def test_what_names_no_mail_server_stops_the_process(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    with pytest.raises(ImproperlyConfigured):
        mail_options()


def test_networks_are_allowed_by_name_and_by_default_on_a_developers_machine_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ip_network("127.0.0.0/8") in webhook_networks()
    monkeypatch.setenv("TAXIMETER_ENV", "production")
    assert webhook_networks() == ()
    monkeypatch.setenv("TAXIMETER_WEBHOOK_NETWORKS", "10.0.0.0/8, fd00::/8")
    assert webhook_networks() == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    monkeypatch.setenv("TAXIMETER_WEBHOOK_NETWORKS", "10.0.0.1/8")
    with pytest.raises(ImproperlyConfigured):
        webhook_networks()


def test_retries_are_a_list_of_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhook_retries((5, 30)) == (5, 30)
    monkeypatch.setenv("TAXIMETER_WEBHOOK_RETRY_SECONDS", "1, 2,3")
    assert webhook_retries((5, 30)) == (1, 2, 3)
    monkeypatch.setenv("TAXIMETER_WEBHOOK_RETRY_SECONDS", "1,-2")
    with pytest.raises(ImproperlyConfigured):
        webhook_retries((5, 30))
