"""Reading settings from the environment, with the reason when one is wrong."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from launcher.paths import HOME

ROOT = Path(__file__).resolve().parent.parent

#: Where the embedded services, logs, generated secrets and exports of this machine live.
VAR = Path(os.environ.get("TAXIMETER_VAR", HOME / "var")).resolve()


def text(name: str, default: str = "") -> str:
    """The variable `name`, stripped; `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def boolean(name: str, *, default: bool) -> bool:
    """The variable `name` as a truth value: 1/true/yes/on or 0/false/no/off."""
    value = text(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if not value:
        return default
    raise ImproperlyConfigured(f"{name} must be one of 1/0, true/false, yes/no, on/off, not {value!r}")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """The variable `name` as a whole number between `low` and `high`, both included."""
    value = text(name)
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return int(value)


def listing(name: str, default: str = "") -> list[str]:
    """The variable `name` split at commas, empty parts left out."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def in_development() -> bool:
    """Whether this is a developer's machine (`TAXIMETER_ENV=development`, as `make run` sets)."""
    value = text("TAXIMETER_ENV", "production")
    if value not in {"development", "test", "production"}:
        raise ImproperlyConfigured(f"TAXIMETER_ENV must be development, test or production, not {value!r}")
    return value != "production"
