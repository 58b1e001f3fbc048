"""`taximeter spool`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from taximeter.cli.setting import add_spool, counted, in_units, open_spool, say
from taximeter.encoding import encode_event
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.outbox import SpoolOutbox
from taximeter.spool.survey import event_of, survey


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "spool", help="show what waits, what was refused and what was lost", description="Show what is in a spool."
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=["show", "refused", "losses", "retry"],
        default="show",
        help="show: what waits (the default); refused: events set aside, with reasons; losses: what was dropped; "
        "retry: put what was refused back among what waits, once the reason is gone",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_spool(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    directory = open_spool(options)
    if options.what == "retry":
        return _retry(directory)
    if options.what == "show":
        return _show_json(directory) if options.json else _show(directory)
    entries = list(directory.refused() if options.what == "refused" else directory.losses())
    for entry in entries:
        say(json.dumps(entry) if options.json else _line(entry))
    if not entries and not options.json:
        say("nothing was refused" if options.what == "refused" else "nothing was lost")
    return 0


def _show(directory: SpoolDirectory) -> int:
    say(f"{directory.path}")
    logs = survey(directory)
    for log in logs:
        state = "running" if log.is_held else "gone"
        since = f", since {log.oldest}" if log.oldest else ""
        say(f"  process {log.process} ({state}): {counted(log.waiting, 'event')} waiting{since}")
    waiting = sum(log.waiting for log in logs)
    say(f"{counted(waiting, 'event')} waiting, {in_units(directory.used_bytes())} on the disk")
    reasons = Counter(entry.get("code") for entry in directory.refused())
    if reasons:
        listed = ", ".join(f"{number:,} {code}" for code, number in reasons.most_common())
        say(f"{counted(sum(reasons.values()), 'event')} refused ({listed}): taximeter spool refused")
    lost = sum(int(entry.get("events", 0)) for entry in directory.losses())
    if lost:
        say(f"{counted(lost, 'event')} lost for want of room: taximeter spool losses")
    if any(log.waiting and not log.is_held for log in logs):
        say("events of processes that are gone are sent by the next one that runs, or by: taximeter flush")
    return 0


def _show_json(directory: SpoolDirectory) -> int:
    for log in survey(directory):
        state = {"process": log.process, "running": log.is_held, "waiting": log.waiting, "oldest": log.oldest}
        say(json.dumps({"log": log.path.name, **state}))
    return 0


def _line(entry: dict[str, Any]) -> str:
    if "event" not in entry:
        return f"{entry.get('at')}  {counted(int(entry.get('events', 0)), 'event')}: {entry.get('reason')}"
    event = entry["event"]
    return f"{entry.get('at')}  {event.get('type')} {event.get('id')}: {entry.get('detail')} ({entry.get('code')})"


def _retry(directory: SpoolDirectory) -> int:
    """What was refused, into a log of this process; then it is no longer among the refused."""
    outbox = SpoolOutbox(directory)
    files = directory.take_refused()
    number = without_data = 0
    try:
        for path in files:
            with path.open("rb") as lines:
                for line in lines:
                    event = event_of(line).get("event")
                    if isinstance(event, dict) and "data" in event:
                        outbox.put([encode_event(event)])
                        number += 1
                    else:
                        without_data += 1
            path.unlink()
    finally:
        outbox.close()
    if without_data:
        say(f"{counted(without_data, 'event')} had no data any more and cannot be sent")
    say(f"{counted(number, 'event')} will be sent by the next process that runs, or by: taximeter flush")
    return 0
