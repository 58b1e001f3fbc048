"""The log's rows and their identities as PostgreSQL's binary COPY takes them ("COPY", "Binary Format" in its manual).

Put together here: with a conversion for each value, as the driver has it, a row takes three times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from metering.decoding import LogRow

COLUMNS = "identity, organization_id, source, event_id, type, subject, time, received_at, data, sent_by, subscription"
IDENTITY_COLUMNS = "identity, content_hash, time"

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_JSONB = b"\x01"
_PIECE = 500

# The values that stand side by side, each after its length.
_length = struct.Struct("!i").pack
_until_source = struct.Struct("!hi16siqi").pack
_until_data = struct.Struct("!iqiqi").pack
_identity = struct.Struct("!hi16si16siq").pack

#: PostgreSQL counts microseconds from here.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def copy_identities(rows: Sequence[LogRow]) -> Iterator[bytes]:
    """All that COPY reads for the identities of `rows`, in the order of `IDENTITY_COLUMNS`."""
    yield _SIGNATURE
    for start in range(0, len(rows), _PIECE):
        yield b"".join(
            [
                _identity(3, 16, row.identity, 16, row.content_hash, 8, (row.time - _EPOCH) // _MICROSECOND)
                for row in rows[start : start + _PIECE]
            ]
        )
    yield _END


def copy_events(organization_id: int, rows: Sequence[LogRow], received_at: datetime, sent_by: str) -> Iterator[bytes]:
    """All that COPY reads for `rows`, in the order of `COLUMNS`, in pieces: the driver keeps room for the largest."""
    received, sender = (received_at - _EPOCH) // _MICROSECOND, _text(sent_by)
    yield _SIGNATURE
    for start in range(0, len(rows), _PIECE):
        yield b"".join(_values(organization_id, rows[start : start + _PIECE], received, sender))
    yield _END


def _values(organization_id: int, rows: Sequence[LogRow], received: int, sender: bytes) -> list[bytes]:
    parts: list[bytes] = []
    for row in rows:
        event = row.event
        source, event_id, event_type = event.source.encode(), event.id.encode(), event.type.encode()
        parts += (
            _until_source(11, 16, row.identity, 8, organization_id, len(source)),
            source,
            _length(len(event_id)),
            event_id,
            _length(len(event_type)),
            event_type,
            _NULL if event.subject is None else _text(event.subject),
            _until_data(8, (row.time - _EPOCH) // _MICROSECOND, 8, received, len(row.data) + 1),
            _JSONB,
            row.data,
            sender,
            _NULL if event.subscription is None else _text(event.subscription),
        )
    return parts


def _text(value: str) -> bytes:
    content = value.encode()
    return _length(len(content)) + content
