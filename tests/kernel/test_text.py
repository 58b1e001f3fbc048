"""Control characters: refused in names, and harmless in every file."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.spreadsheets import csv_json, csv_text, is_formula_like
from kernel.text import TextInvalid, file_name, one_line, readable, refused_character, refused_within, require_text

REFUSED = ["\x00", "\x07", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\u202e", "\u2066",
           "\ud800", "\ufffe"]  # fmt: skip
STARTS = "=+-@＝＋－＠"  # noqa: RUF001
texts = st.text(alphabet=st.characters() | st.sampled_from([*REFUSED, *STARTS, ";", ",", '"', "'", "|", " "]))


@pytest.mark.parametrize("character", REFUSED)
def test_a_name_with_a_control_character_is_refused_by_its_number(character: str) -> None:
    with pytest.raises(TextInvalid) as refused:
        require_text(f"Acme{character}Ltd", field="name")
    [fault] = refused.value.errors
    assert (refused.value.code, fault.pointer, fault.code) == ("text_invalid", "/name", "text_invalid")
    assert f"U+{ord(character):04X}" in fault.detail


@pytest.mark.parametrize(
    "name",
    [
        "Acme & <Söhne>",
        "\u0639\u0631\u0628\u064a\u200f",
        "👩\u200d🚀",
        "\u0645\u06cc\u200c\u062e\u0648",
        "漢字",
        "=1+1",
        "",
    ],
)
def test_names_of_every_language_are_allowed(name: str) -> None:
    assert refused_character(name) is None


def test_a_text_of_several_lines_has_line_feeds_and_no_lone_carriage_return() -> None:
    assert refused_character("a\tb\nc\r\nd", lines=True) is None
    assert refused_character("a\rb", lines=True) == "U+000D"
    assert refused_within({"a": ["b\n", {"c": "d\u2028"}]}) == "U+2028"
    assert refused_within({"a\r": 1}) == "U+000D"
    assert refused_within({"a": [1, None, True, "b\n"]}) is None


@given(text=texts)
def test_one_line_has_nothing_that_a_name_may_not_have_but_marks_of_what_was_there(text: str) -> None:
    line = one_line(text)
    assert refused_character(line) is None
    assert one_line(line) == line
    assert refused_character(readable(text), lines=True) is None
    line.encode()  # as files are


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("INV-000007.pdf", "INV-000007.pdf"),
        ('a"; filename="b.exe', "a-- filename=-b.exe"),
        ("a\r\nSet-Cookie: x", "a Set-Cookie- x"),
        ("../../etc/passwd", "-..-etc-passwd"),
        ("..", "file"),
        ("", "file"),
        ("\u202egpj.exe", "gpj.exe"),
    ],
)
def test_a_file_s_name_is_no_path_and_no_header(text: str, name: str) -> None:
    assert file_name(text) == name


def cells(separator: str, text: str) -> list[str]:
    """The cells that a spreadsheet program finds in a row whose second cell holds `text`."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerow(["1", csv_text(text), "2"])
    return [cell for line in io.StringIO(file.getvalue(), newline=None) for cell in line.rstrip("\n").split(separator)]


def shown(cell: str) -> str:
    """The first character that a program sees, behind quotes, spaces and what has no width."""
    skipped = (c for c in cell if not (c.isspace() or c == '"' or unicodedata.category(c) == "Cf"))
    return next(skipped, "")


@given(text=texts)
@example("Acme\r=1+1,x")
@example(" =1+1")
@example('"=1+1')
@example("Acme;=1+1;")
@example("Acme; \u200b＝1+1")  # noqa: RUF001
@example("\ufeff@sum")
@example("a|+1")
def test_no_cell_of_text_is_a_formula_and_none_breaks_out(text: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerow(["1", csv_text(text), "2"])
    # Programs end a row at any line break that is not quoted; there is none at all.
    assert file.getvalue().count("\n") == 1
    assert not set("\r\x0b\x0c\x85\u2028\u2029") & set(file.getvalue())
    [[first, cell, last]] = csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)
    assert (first, last) == ("1", "2")
    assert not is_formula_like(cell)
    for separator in ";|":
        assert not [one for one in cells(separator, text) if shown(one) in set(STARTS)], separator


@pytest.mark.parametrize("text", ["Acme Ltd", "a; b", "5-3", "ap@acme.example", "2026-10-01", "1 + 1", "a=b"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert csv_text(text) == text


@given(value=st.dictionaries(texts.filter(lambda t: refused_character(t) is None), texts, max_size=3))
@example({"a": ";=1+1"})
@example({"a": ';"=1+1'})
def test_a_cell_of_json_is_the_same_value(value: dict[str, str]) -> None:
    cell = csv_json(json.dumps(value))
    assert json.loads(cell) == value
    assert not [one for one in cell.split(";")[1:] if shown(one) in set(STARTS)]
