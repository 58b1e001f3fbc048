"""Content in, PDF out, by typst: one compiler a process, fonts of our own, no network and no files but the template's.

The same content gives the same bytes: the only time in a PDF is the one passed in.
"""

from __future__ import annotations

import bisect
import functools
import json
import threading
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst

_HERE = Path(__file__).parent
_TEMPLATE = _HERE / "templates" / "invoice.typ"
_LOGO = _HERE / "templates" / "logo.typ"
_FONTS = _HERE / "fonts"
#: Archivable (ISO 19005-3) and tagged, which is also what Factur-X asks for.
STANDARD = "a-3a"
#: Stands where no font has a glyph.
MISSING = "\u25a1"

_lock = threading.Lock()


def typeset(content: Mapping[str, Any], *, at: datetime, xml: bytes | None = None) -> bytes:
    """The PDF of `content` (as `billing.documents.content` makes it), created `at`, with `xml` attached.

    It is PDF/A-3a. Where a text cannot be written so, it is an ordinary PDF, unless there is something to attach:
    then `typst.TypstError` is raised.
    """
    inputs = {"document": json.dumps(_writable(content), ensure_ascii=False)}
    if xml is not None:
        inputs["xml"] = xml.decode()
    try:
        return _compile(inputs, at, [STANDARD])
    except typst.TypstError:
        if xml is not None:
            raise
        return _compile(inputs, at, [])


def draw(content: Mapping[str, Any], *, ppi: float = 80) -> list[bytes]:
    """The pages as PNG."""
    inputs = {"document": json.dumps(_writable(content), ensure_ascii=False)}
    with _lock:
        pages: Any = _compiler().compile(format="png", ppi=ppi, sys_inputs=inputs)
    return pages if isinstance(pages, list) else [pages]


def is_drawable(svg: str) -> bool:
    """Whether a document can hold this picture."""
    try:
        _new_compiler(_LOGO).compile(format="pdf", sys_inputs={"svg": svg})
    except typst.TypstError:
        return False
    return True


def _compile(inputs: dict[str, str], at: datetime, standards: list[Any]) -> bytes:
    with _lock:  # a compiler keeps the inputs it was given last
        pdf = _compiler().compile(
            format="pdf", sys_inputs=inputs, pdf_standards=standards, timestamp=int(at.timestamp())
        )
    assert isinstance(pdf, bytes)
    return pdf


@functools.cache
def _compiler() -> typst.Compiler:
    return _new_compiler(_TEMPLATE)


def _new_compiler(template: Path) -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_FONTS)])
    # Packages are looked for where there are none; the template imports none.
    nowhere = str(_HERE / "templates" / "packages")
    return typst.Compiler(
        str(template), root=str(template.parent), font_paths=fonts, package_path=nowhere, package_cache_path=nowhere
    )


def _writable(value: Any) -> Any:
    """`value` with the characters of its texts that no font has (or none could) replaced."""
    if isinstance(value, dict):
        # Pictures are markup of their own.
        return {name: item if name in {"logo", "code"} else _writable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else "".join(map(_glyph, value))
    return value


def unprintable(*texts: str) -> list[str]:
    """Return the characters of `texts` that documents show as `MISSING` or leave out, each once, in their order.

    Marks that only format (a byte order mark, a soft hyphen) are left out without notice.
    """
    found = dict.fromkeys(one for text in texts if not text.isascii() for one in text)
    return [one for one in found if _glyph(one) in ("", MISSING) and unicodedata.category(one) not in ("Cf", "Cc")]


@functools.lru_cache(maxsize=4096)
def _glyph(character: str) -> str:
    if character in "\n\t":
        return " "
    if not character.isprintable() and not character.isspace() and ord(character) not in _CONTROLS:
        return ""
    starts, ends = _coverage()
    at = bisect.bisect_right(starts, ord(character)) - 1
    return character if at >= 0 and ord(character) <= ends[at] else MISSING


#: Marks of direction and joining, which shape text and have no glyph of their own.
_CONTROLS = frozenset({0x061C, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x2066, 0x206A)})


@functools.cache
def _coverage() -> tuple[list[int], list[int]]:
    """The code points that the fonts have, as the starts and ends of ranges (`fonts/README.md` says how it is made)."""
    spans = [line.split("-") for line in (_FONTS / "coverage.txt").read_text().split()]
    return [int(span[0], 16) for span in spans], [int(span[-1], 16) for span in spans]
