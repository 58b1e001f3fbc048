"""One record a line: U+001E, the CRC-32 of the event in 8 hex digits, a space, the event as JSON.

JSON in ASCII holds neither U+001E nor a line feed, so a record that was cut off, by a kill or a full disk, is known
by its checksum and never takes the records behind it along.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

MARK = b"\x1e"
_HEAD = 10


def record_of(payload: bytes) -> bytes:
    """`payload` as it stands in a log."""
    return b"\x1e%08x %b\n" % (crc32(payload), payload)


@dataclass(frozen=True)
class Records:
    """The whole records of a piece of a log.

    `ends[i]` is how far into the piece record i reaches, `consumed` how far anything in it has been understood;
    `torn` counts the pieces that are no records.
    """

    payloads: list[bytes]
    ends: list[int]
    consumed: int
    torn: int


def read_records(data: bytes, *, limit: int) -> Records:
    """The records in `data`, `limit` at most. What follows the last line feed may still be being written."""
    payloads: list[bytes] = []
    ends: list[int] = []
    torn = position = 0
    while len(payloads) < limit:
        end = data.find(b"\n", position)
        if end < 0:
            break
        payload = _payload(data, position, end)
        if payload is None:
            torn += 1
            payload = _payload(data, data.rfind(MARK, position, end), end)
        position = end + 1
        if payload is not None:
            payloads.append(payload)
            ends.append(position)
    return Records(payloads, ends, position, torn)


def _payload(data: bytes, start: int, end: int) -> bytes | None:
    """The event of the record in data[start:end], or None where that is none."""
    if start < 0 or end - start <= _HEAD or data[start] != MARK[0]:
        return None
    payload = data[start + _HEAD : end]
    try:
        return payload if int(data[start + 1 : start + 9], 16) == crc32(payload) else None
    except ValueError:
        return None
