"""Every page of the documentation: tables that render, and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.paths import ROOT

_PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "sdk").glob("*.md")])
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """The numbered lines of each table of `text`, left out what stands in fenced code."""
    is_code, table = False, []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        if line.startswith("|") and not is_code:
            table.append((number, line))
        elif table:
            yield table
            table = []


def _cells(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_have_a_header_and_rows_of_one_width(page: Path) -> None:
    for table in _blocks(page.read_text()):
        number, rule = table[1] if len(table) > 1 else table[0]
        assert re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", rule), f"{page.name}:{number}: a table without a header row"
        for number, line in table:
            assert _cells(line) == _cells(rule), f"{page.name}:{number}: a row of another width"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in _LINK.findall(_CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


def test_the_threat_model_names_tests_and_benchmarks_that_exist() -> None:
    named = re.findall(r"`(tests/[\w./]*)`", (ROOT / "docs" / "security.md").read_text())
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []
    for module in re.findall(r"`python -m bench (\w+)`", (ROOT / "docs" / "security.md").read_text()):
        assert (ROOT / "bench" / f"{module}.py").exists()
