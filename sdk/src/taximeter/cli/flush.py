"""`taximeter flush`."""

from __future__ import annotations

import argparse
from typing import Any

from taximeter.cli.setting import add_server, add_spool, counted, open_spool, say, transport_for
from taximeter.spool.survey import survey


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "flush",
        help="send what processes that are gone have left",
        description="Send what processes that are gone have left in the spool. Running ones send for themselves.",
    )
    parser.add_argument("--timeout", type=float, default=60, help="seconds (default: 60)")
    add_spool(parser)
    add_server(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    directory = open_spool(options)
    transport = transport_for(options, directory.path)
    done = transport.drain(options.timeout)
    stats = transport.stats()
    transport.close(0)
    sent = f"{counted(stats.stored, 'event')} sent"
    extra = f", {stats.duplicates:,} of which the server had already" if stats.duplicates else ""
    say(sent if not extra else f"{counted(stats.stored + stats.duplicates, 'event')} sent{extra}")
    if stats.quarantined:
        say(f"{counted(stats.quarantined, 'event')} in quarantine at the server until they are released there")
    if stats.refused:
        say(f"{counted(stats.refused, 'event')} refused, and set aside with the reason: taximeter spool refused")
    if not done:
        say(f"not all could be sent: {stats.problem or 'the time was up'}")
    running = [log for log in survey(directory) if log.is_held and log.waiting]
    for log in running:
        say(f"process {log.process} still has {counted(log.waiting, 'event')}, and sends them itself")
    return 0 if done else 1
