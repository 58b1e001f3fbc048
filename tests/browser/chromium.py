"""The Chromium that tests and pictures use."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright


def find_chromium() -> str | None:
    """What `TAXIMETER_CHROMIUM` names, else Debian's."""
    return os.environ.get("TAXIMETER_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
