"""Spools for tests, and what is left in them."""

from __future__ import annotations

import json

from taximeter import Meter, SpoolTransport
from taximeter.delivery.sender import Waits
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.outbox import SpoolOutbox

QUICK = Waits(first=0.01, longest=0.05, idle=0.01)
NOWHERE = "http://127.0.0.1:1"
MIB = 1 << 20


def spool(tmp_path, address=NOWHERE, **options):
    return SpoolTransport(address, api_key="k", directory=tmp_path / "spool", waits=QUICK, **options)


def record(transport, *ids, size=1):
    meter = Meter(source="desk", transport=transport)
    for id in ids:
        meter.record("t", "acme", {"x": "x" * size}, id=id)


def abandon(transport):
    """As a process that is killed leaves it: all as it is, and no lock."""
    sender, transport._sender = transport._sender, None
    sender.stop(5)
    for reader in transport._outbox._readers:
        reader.log.release()
    transport._outbox._writer.close()


def left_in(path):
    """The ids of the events in a spool, in order, whoever wrote them."""
    outbox = SpoolOutbox(SpoolDirectory(path))
    outbox.adopt()
    ids = []
    while batch := outbox.next_batch():
        ids += [json.loads(payload)["id"] for payload in batch.payloads]
        outbox.advance(batch)
    return ids
