"""`taximeter record`."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from taximeter.cli.setting import Problem, add_server, add_spool, find_spool, say, transport_for
from taximeter.meter import Meter

_EXAMPLES = """\
examples:
  taximeter record storage.written --customer acme bytes=4096 region=eu
  taximeter record report.made --customer acme --id report-17 --data '{"pages": 12}'
"""


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "record",
        help="record one event",
        description="Record one event: it is in the spool first, and then sent.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("type", help="what happened, for instance storage.written")
    parser.add_argument("fields", nargs="*", metavar="NAME=VALUE", help="fields of its data; numbers stay numbers")
    parser.add_argument("--customer", help="the key of the customer it is for")
    parser.add_argument(
        "--subscription", help="the id or key of the customer's subscription that alone is to charge it"
    )
    parser.add_argument("--data", metavar="JSON", help="its data as a JSON object")
    parser.add_argument("--id", help="names the thing, so that recording it again adds nothing (default: a random one)")
    parser.add_argument("--time", help="when it happened, such as 2026-10-03T09:12:44Z (default: now)")
    parser.add_argument("--source", default="taximeter-cli", help="what records (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=10, help="seconds to wait for the server (default: 10)")
    add_spool(parser)
    add_server(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    transport = transport_for(options, find_spool(options, source=options.source))
    meter = Meter(source=options.source, transport=transport)
    data = data_of(options.data, options.fields)
    try:
        event = meter.record(
            options.type,
            options.customer,
            data,
            id=options.id,
            time=_time(options.time),
            subscription=options.subscription,
        )
    except (TypeError, ValueError) as error:
        raise Problem(str(error)) from None
    delivered = meter.close(options.timeout)
    stats = transport.stats()
    if delivered and stats.refused:
        entry = list(transport.directory.refused())[-1]
        raise Problem(f"the server refused it: {entry['detail']} ({entry['code']})")
    if delivered:
        if stats.quarantined:
            say(f"{event['id']} is in quarantine at the server, and counts once it is released there")
            return 0
        say(f"{event['id']} is stored" if stats.stored else f"{event['id']} was stored before")
    else:
        say(f"{event['id']} waits in {transport.directory.path}: {stats.problem or 'the server takes its time'}")
    return 0


def data_of(text: str | None, fields: list[str]) -> dict[str, Any]:
    """The data of an event: a JSON object, and `NAME=VALUE` pairs on top of it."""
    try:
        data = json.loads(text) if text else {}
    except ValueError as error:
        raise Problem(f"--data is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise Problem("--data must be a JSON object, such as '{\"pages\": 12}'")
    for field in fields:
        name, found, value = field.partition("=")
        if not found or not name:
            raise Problem(f"{field!r} is no NAME=VALUE")
        try:
            data[name] = json.loads(value)
        except ValueError:
            data[name] = value
    return data


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise Problem(f"--time {text!r} is no time such as 2026-10-03T09:12:44Z") from None
