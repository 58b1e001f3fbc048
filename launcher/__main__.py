"""`python -m launcher COMMAND`; the Makefile's commands are these."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from launcher import programs, run
from launcher.errors import LauncherError
from launcher.paths import Layout
from launcher.services import Services


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m launcher", description="Runs Taximeter on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything, play the demo and keep serving")
    commands.add_parser("stop", help="stop what `run` started")
    commands.add_parser("status", help="say what is running")
    commands.add_parser("reset", help="stop, and remove all data")
    services = commands.add_parser("services", help="PostgreSQL and Valkey with data that is thrown away")
    services.add_argument("program", nargs=argparse.REMAINDER, help="what to run on them; without it, until Ctrl-C")
    commands.add_parser("serve-postgres", help="be the instance's PostgreSQL server (for the supervisor)")
    return parser


def _services(program: list[str]) -> int:
    with Services.temporary() as services:
        urls = {"DATABASE_URL": services.postgres_url, "REDIS_URL": services.redis_url}
        if program:
            return subprocess.run(program, env=os.environ | urls, check=False).returncode
        for name, url in urls.items():
            print(f"export {name}='{url}'", flush=True)
        while True:
            time.sleep(3600)


def main() -> int:
    """Answers the exit status."""
    arguments = _parser().parse_args()
    os.umask(0o077)  # of every process that is started from here: what they write is for this user alone
    layout = Layout.from_environment()
    try:
        match arguments.command:
            case "run":
                run.run(layout)
            case "stop":
                run.stop(layout)
            case "status":
                run.status(layout)
            case "reset":
                run.reset(layout)
            case "services":
                run.end_on_signals()
                return _services([part for part in arguments.program if part != "--"])
            case "serve-postgres":
                programs.serve_postgres(layout)
    except LauncherError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except PermissionError as error:
        sys.stderr.write(
            f"\n{error.filename} belongs to another user, or is closed to this one. Run Taximeter as the user who ran "
            "it here before, or choose another place with TAXIMETER_VAR=/some/directory.\n"
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
