"""The values of a GGUF file one after the other, none of which reaches beyond the file's end.

Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import mmap
import struct

from kernel.errors import InvalidError

#: The largest number that is kept: a bigint of the database.
MAX_INTEGER = 2**63 - 1

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_LIST_CUT = "the file is cut short or damaged: a list reaches beyond its end"
_LONGEST_NAME = 65_535  # by the format
#: Texts that are read, such as chat templates, are far below this.
_LONGEST_TEXT = 1024 * 1024


class ModelFileError(InvalidError):
    """The file is no GGUF model that can be read."""

    code = "model_file_invalid"


class GgufReader:
    """Reads from the beginning on. `steps` counts what was read or stepped over, `taken` the bytes that were copied."""

    def __init__(self, view: mmap.mmap | bytes) -> None:
        self._view = view
        self.length = len(view)
        self.position = self.steps = self.taken = 0

    def take(self, length: int) -> bytes:
        start = self.position
        self._skip(length)
        self.taken += length
        return bytes(self._view[start : self.position])

    def number(self, form: str) -> int:
        start = self.position
        self._skip(struct.calcsize(form))
        (value,) = struct.unpack_from(form, self._view, start)
        return int(value)

    def count(self, *, least_bytes: int) -> int:
        """How many things follow, each of at least so many bytes."""
        count = self.number("<Q")
        if count * least_bytes > self.length - self.position:
            raise ModelFileError(f"the file is cut short or damaged: it cannot hold {count} entries")
        return count

    def name(self) -> str:
        length = self.number("<Q")
        if length > _LONGEST_NAME:
            raise ModelFileError(f"a name of {length} bytes is too long")
        return self._decoded(length)

    def value(self, kind: int, *, keeps_text: bool) -> object:
        """A whole number, or a text that is kept; a list's length, as it is stepped over; None for all else."""
        if kind == _STRING:
            return self._text(keeps_text)
        if kind == _ARRAY:
            return self._skip_list()
        form = _SCALARS.get(kind)
        if form is None:
            raise ModelFileError(f"a metadata value of type {kind} is not known")
        if form in {"<f", "<d"}:
            self._skip(struct.calcsize(form))
            return None
        return self.number(form)

    def _text(self, is_kept: bool) -> str | None:
        length = self.number("<Q")
        if not is_kept:
            self._skip(length)
            return None
        if length > _LONGEST_TEXT:
            raise ModelFileError(f"a text of {length} bytes is too long")
        return self._decoded(length)

    def _decoded(self, length: int) -> str:
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise ModelFileError("a text is not UTF-8") from None

    def _skip(self, length: int) -> None:
        if length > self.length - self.position:
            raise ModelFileError(
                f"the file is cut short or damaged: {length} bytes wanted at {self.position} of {self.length}"
            )
        self.position += length
        self.steps += 1

    def _skip_list(self) -> int:
        kind = self.number("<I")
        if kind in _SCALARS:
            size = struct.calcsize(_SCALARS[kind])
            count = self.count(least_bytes=size)
            self._skip(size * count)
            return count
        if kind != _STRING:
            raise ModelFileError(f"a metadata list of type {kind} is not known")
        count = self.count(least_bytes=8)
        # Token lists have hundreds of thousands of texts: no calls within the loop.
        view, at, end, unpack = self._view, self.position, self.length, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at + 8 > end:
                raise ModelFileError(_LIST_CUT)
            at += 8 + unpack(view, at)[0]
        if at > end:
            raise ModelFileError(_LIST_CUT)
        self.steps += count
        self.position = at
        return count
