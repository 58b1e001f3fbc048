"""JSON files of records: one on each line, or in an array or one after the other, however they are laid out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from agents.importers.files import LineFile

#: A record of more bytes is refused.
MAX_RECORD_BYTES = 64 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
# No line end can stand within a JSON string, so strings and brackets are found line by line.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}"]')

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Record:
    """A record with the line it begins on, as the text it is in the file; or why it cannot be read."""

    line: int
    text: bytes
    problem: str = ""


def decode_record(text: bytes) -> Any:
    """The value of a record; raises `ValueError` with what is wrong with it."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, ArithmeticError) as error:
        raise ValueError(f"not valid JSON: {error}") from None


def records_in(lines: LineFile) -> Iterator[Record]:
    """The records of a file. Where its first line is a whole record each line is one, and a broken line costs
    itself alone; otherwise records are told apart by their brackets, and what follows a broken one is lost."""
    numbered = iter(lines)
    for number, line in numbered:
        if line is None:
            yield Record(number, b"", "the line is too long")
            return
        if line.removeprefix(_BOM).strip():
            first = line.removeprefix(_BOM).strip()
            yield from (_lines if _is_object(first) else _brackets)(number, first, numbered)
            return


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{"):
        # What is neither is as good as lines: each is then refused by its number.
        return not line.startswith(b"[")
    try:
        return isinstance(decode_record(line), dict)
    except ValueError:
        # An object laid out over lines begins with a line of little; one that is cut off does not.
        return len(_TOKENS.findall(line)) > 3 and line.count(b":") > 1


def _lines(number: int, line: bytes | None, rest: Iterator[tuple[int, bytes | None]]) -> Iterator[Record]:
    while True:
        if line is None:
            yield Record(number, b"", "the line is too long")
        elif line.strip():
            yield Record(number, line)
        try:
            number, line = next(rest)
        except StopIteration:
            return


def _brackets(number: int, line: bytes | None, rest: Iterator[tuple[int, bytes | None]]) -> Iterator[Record]:
    splitter = _Splitter(base=1 if line is not None and line.startswith(b"[") else 0)
    while True:
        if line is None or len(splitter.text) > MAX_RECORD_BYTES:
            yield Record(splitter.begins or number, b"", "the record is too long")
            return
        yield from splitter.feed(number, line)
        if splitter.is_lost:
            return
        try:
            number, line = next(rest)
        except StopIteration:
            break
    if splitter.depth:
        yield Record(splitter.begins or number, b"", "the file ends within a record")


class _Splitter:
    """Cuts lines at the brackets that close a record: those `base` deep."""

    def __init__(self, *, base: int) -> None:
        self.base, self.depth, self.begins = base, 0, 0
        self.text = bytearray()
        self.is_lost = False

    def feed(self, number: int, line: bytes) -> Iterator[Record]:
        start = 0
        for token in _TOKENS.finditer(line):
            mark = token.group()
            if mark in b"{[":
                if self.depth == self.base:
                    self.begins, start = number, token.start()
                self.depth += 1
            elif mark in b"}]":
                self.depth -= 1
                if self.depth == self.base:
                    yield Record(self.begins, bytes(self.text + line[start : token.end()]))
                    self.text.clear()
                    self.begins = 0
            if mark == b'"' or self.depth < 0:
                self.is_lost = True
                yield Record(number, b"", "not valid JSON: a quote or a bracket has no other")
                return
        if self.begins:
            self.text += line[start if self.begins == number else 0 :] + b"\n"
