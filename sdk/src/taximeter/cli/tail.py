"""`taximeter tail`."""

from __future__ import annotations

import argparse
import time
from collections import deque
from pathlib import Path
from typing import Any

from taximeter.cli.setting import add_spool, open_spool, say
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.log import Position
from taximeter.spool.survey import event_of, records_from


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "tail",
        help="show events as they are recorded",
        description="Show the latest events in the spool, of all processes, and with -f those that follow.",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("-n", type=int, default=10, metavar="N", help="how many to begin with (default: 10)")
    parser.add_argument("--json", action="store_true", help="whole events, one a line")
    parser.add_argument("--type", help="only events of this type")
    parser.add_argument("--customer", help="only events of this customer")
    add_spool(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    directory = open_spool(options)
    ends: dict[Path, Position] = {}
    latest: deque[bytes] = deque(maxlen=max(0, options.n))
    latest.extend(payload for payload in new_records(directory, ends) if _wanted(payload, options))
    for payload in latest:
        say(_shown(payload, options))
    while options.follow:
        time.sleep(0.2)
        for payload in new_records(directory, ends):
            if _wanted(payload, options):
                say(_shown(payload, options))
    return 0


def new_records(directory: SpoolDirectory, ends: dict[Path, Position]) -> list[bytes]:
    """The events behind `ends`, which moves on; of each log in its order."""
    found = []
    for path in directory.logs():
        for payload, end in records_from(path, ends.get(path, (0, 0))):
            found.append(payload)
            ends[path] = end
    return found


def _wanted(payload: bytes, options: argparse.Namespace) -> bool:
    event = event_of(payload)
    return options.type in (None, event.get("type")) and options.customer in (None, event.get("subject"))


def _shown(payload: bytes, options: argparse.Namespace) -> str:
    if options.json:
        return payload.decode()
    event = event_of(payload)
    data = event.get("data") or {}
    told = ("agent", "outcome", "model", "input_tokens", "output_tokens", "choice", "tool", "error")
    details = " ".join(f"{name}={data[name]}" for name in told if name in data)
    return f"{event.get('time')}  {event.get('type'):16} {event.get('subject') or '-':12} {event.get('id')}  {details}"
