"""axe-core in a page: WCAG 2.2, levels A and AA."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_RUN = "(options) => axe.run(document, options).then((found) => found.violations)"


@cache
def _script() -> str:
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, *, rules: list[str] | None = None) -> list[dict[str, Any]]:
    """What axe finds on the page as it is now; only `rules`, where given."""
    # The page's policy keeps foreign scripts out; what the browser's own tools evaluate is not subject to it.
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_script())
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": _STANDARDS}
    found: list[dict[str, Any]] = page.evaluate(_RUN, {"runOnly": only, "resultTypes": ["violations"]})
    return found


def assert_accessible(page: Page, *, rules: list[str] | None = None) -> None:
    """axe finds nothing, whatever its impact; `AssertionError` names rules and elements."""
    told = [
        f"{one['id']} ({one['impact']}): {one['help']}\n    "
        + "\n    ".join(f"{node['html'][:200]}  {_why(node)}" for node in one["nodes"][:5])
        for one in violations(page, rules=rules)
    ]
    assert not told, f"axe on {page.url}:\n" + "\n".join(told)


def assert_fits(page: Page) -> None:
    """Nothing makes the page itself wider than the window."""
    too_wide = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          const scrolls = (one) => one && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
          return [...document.body.querySelectorAll("*")]
            .filter((one) => one.getBoundingClientRect().right > width + 1 && !scrolls(one.parentElement))
            .map((one) => one.outerHTML.slice(0, 160));
        }"""
    )
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
        f"{page.url} is wider than the window: {too_wide[:5]}"
    )


def _why(node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    return "; ".join(check["message"] for check in checks)[:300]
