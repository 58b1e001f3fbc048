"""The command `taximeter`: record an event, look into a spool, send what is left in it, find out what is wrong."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from taximeter.cli import doctor, flush, record, spool, tail
from taximeter.cli.setting import Problem, complain
from taximeter.environment import API_KEY, SPOOL, URL
from taximeter.errors import TaximeterError
from taximeter.version import __version__

_EPILOG = f"""\
environment:
  {URL}       the server, for instance https://taximeter.example
  {API_KEY}   a key with the scope "ingest"
  {SPOOL}     the spool's directory; --spool says it for one command

Exit status: 0 when all is well, 1 when something is not, 2 for a command line that makes no sense.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="taximeter",
        description="Record usage events, and look after the spool they wait in.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"taximeter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (record, spool, flush, tail, doctor):
        module.add_to(commands)
    options, more = parser.parse_known_args(arguments)
    # argparse takes what follows an option for no positional argument; a field may stand anywhere all the same.
    if any(one.startswith("-") or not hasattr(options, "fields") for one in more):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        options.fields += more
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        return int(options.run(options))
    except (Problem, TaximeterError, PermissionError) as problem:
        complain(f"taximeter: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter is not to complain while it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
