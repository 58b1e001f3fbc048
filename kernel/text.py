"""Characters that a name may hold, and text made safe for files, headers and other programs.

Names are refused where a person enters them (`refused_character`). Events and old rows are kept as they came, so what
leaves goes through `one_line` or `readable` as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kernel.errors import FieldError, InvalidError

#: C0 and C1 controls, line and paragraph separators, and directions that reach beyond the text they stand in (UAX #9),
#: halves of a surrogate pair, and the code points that XML 1.0 leaves out.
_BIDI = "\u202a-\u202e\u2066-\u2069"
_UNREADABLE = "\ud800-\udfff\ufffe\uffff"
_REFUSED = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{_BIDI}{_UNREADABLE}]")
#: The same without tab, line feed, and a carriage return before one: what a text of several lines is made of.
_REFUSED_IN_LINES = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029{_BIDI}{_UNREADABLE}]|\r(?!\n)")

_BREAKS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_LONE_BREAKS = re.compile("\r(?!\n)|[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE = re.compile(f"[{_BIDI}]")
_CONTROLS = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_UNREADABLE}]")

#: What parts a path or a header, and what no file of Windows is named with.
_PARTS_NAMES = re.compile(r'[/\\:;"\'<>|*?%\ufffd]')
_LONGEST_NAME = 200


class TextInvalid(InvalidError):
    """A text holds a character that names may not hold."""

    code = "text_invalid"


def refused_character(text: str, *, lines: bool = False) -> str | None:
    """Return the first character of `text` that a name may not hold, as `U+000D`; None where there is none.

    With `lines`, tabs and line feeds are allowed.
    """
    if text.isascii() and text.isprintable():
        return None
    found = (_REFUSED_IN_LINES if lines else _REFUSED).search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def refusal_of(character: str) -> str:
    """Return the sentence that refuses `character` (as `refused_character` names it)."""
    return f"Control characters are not allowed in text. Remove {character}."


def require_text(text: str, *, field: str, lines: bool = False) -> None:
    """Raise `TextInvalid` where `text`, the value of `field`, holds a control character."""
    if (found := refused_character(text, lines=lines)) is not None:
        problem = FieldError(f"/{field}", TextInvalid.code, refusal_of(found))
        raise TextInvalid(f"{field}: {problem.detail}", errors=[problem])


def refused_within(value: Any) -> str | None:
    """Return the first refused character in the texts of a JSON value, its names included; texts may have lines."""
    if isinstance(value, str):
        return refused_character(value, lines=True)
    if isinstance(value, Mapping):
        names = (refused_character(name) for name in value if isinstance(name, str))
        return next((found for found in (*names, *map(refused_within, value.values())) if found), None)
    if isinstance(value, list | tuple):
        return next((found for found in map(refused_within, value) if found), None)
    return None


def one_line(text: str) -> str:
    """Return `text` in one line: line breaks and tabs become one space, other controls U+FFFD, and marks that turn
    the direction of what follows go."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _INVISIBLE.sub("", _BREAKS.sub(" ", text)))


def readable(text: str) -> str:
    """Return `text` with its tabs and line feeds (CR LF too), and else as `one_line`."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _INVISIBLE.sub("", _LONE_BREAKS.sub(" ", text)))


def file_name(text: str) -> str:
    """Return `text` as the name of a file that others save: in one line, without what parts a path or a header."""
    found = _PARTS_NAMES.sub("-", one_line(text)).strip(" .")
    return found[:_LONGEST_NAME] or "file"
