"""Settings of mail and webhooks, read from the environment."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from config import environment as env

_SMTP = "django.core.mail.backends.smtp.EmailBackend"
_FILES = "notifications.sending.eml_files.EmailBackend"
_FORMS = "smtp://, smtp+tls:// or smtps://user:password@host:port, file:///directory or console://"


def mail_options() -> dict[str, Any]:
    """Django's mail settings: those of `EMAIL_URL`, or Django's own names; without either, mail becomes files."""
    if url := env.text("EMAIL_URL"):
        options = _of_url(url)
    elif env.text("EMAIL_BACKEND") or env.text("EMAIL_HOST"):
        options = {
            "EMAIL_BACKEND": env.text("EMAIL_BACKEND", _SMTP),
            "EMAIL_HOST": env.text("EMAIL_HOST", "localhost"),
            "EMAIL_PORT": env.integer("EMAIL_PORT", 25, low=1, high=65535),
            "EMAIL_HOST_USER": env.text("EMAIL_HOST_USER"),
            "EMAIL_HOST_PASSWORD": env.text("EMAIL_HOST_PASSWORD"),
            "EMAIL_USE_TLS": env.boolean("EMAIL_USE_TLS", default=False),
            "EMAIL_USE_SSL": env.boolean("EMAIL_USE_SSL", default=False),
        }
    else:
        options = {"EMAIL_BACKEND": _FILES}
    timeout = env.integer("EMAIL_TIMEOUT", 20, low=1, high=600)
    return {"EMAIL_FILE_PATH": str(env.VAR / "mail"), **options, "EMAIL_TIMEOUT": timeout}


def _of_url(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return {"EMAIL_BACKEND": _FILES, "EMAIL_FILE_PATH": unquote(parts.path)}
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    try:
        port = parts.port or ports[parts.scheme]
    except (KeyError, ValueError):
        raise ImproperlyConfigured(f"EMAIL_URL is {_FORMS}") from None
    if not parts.hostname or parse_qs(parts.query):
        raise ImproperlyConfigured(f"EMAIL_URL is {_FORMS}")
    return {
        "EMAIL_BACKEND": _SMTP,
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


def webhook_networks() -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks that webhooks may go to although they are not of the world; on a developer's machine, itself."""
    default = "127.0.0.0/8,::1/128" if env.in_development() else ""
    found = env.listing("TAXIMETER_WEBHOOK_NETWORKS", default)
    try:
        return tuple(ip_network(one) for one in found if one != "none")
    except ValueError as error:
        raise ImproperlyConfigured(f"TAXIMETER_WEBHOOK_NETWORKS: {error}") from None


def webhook_retries(default: tuple[int, ...]) -> tuple[int, ...]:
    """Seconds after each failed attempt until the next."""
    found = env.listing("TAXIMETER_WEBHOOK_RETRY_SECONDS")
    if not all(one.isascii() and one.isdigit() and len(one) < 8 for one in found):
        raise ImproperlyConfigured("TAXIMETER_WEBHOOK_RETRY_SECONDS is a list of seconds, such as 5,30,120")
    return tuple(map(int, found)) or default
