"""What the commands share: where the spool is, where to send, and how to speak."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from taximeter.delivery.sender import Waits
from taximeter.environment import API_KEY, SPOOL, URL, default_spools, spool_directory
from taximeter.spool.directory import SpoolDirectory
from taximeter.transports.spool import SpoolTransport


class Problem(Exception):
    """Something the person at the terminal can put right; the message says how."""


def add_spool(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spool", metavar="DIR", help=f"the spool's directory (default: ${SPOOL}, or the only one)")


def add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help=f"the server (default: ${URL})")
    parser.add_argument("--api-key", metavar="KEY", help=f"better in ${API_KEY}, where other users cannot see it")


def find_spool(options: argparse.Namespace, *, source: str | None = None) -> Path:
    """The spool that is meant; raises `Problem` where there is none, or several."""
    if options.spool:
        return Path(options.spool)
    if os.environ.get(SPOOL) or source:
        return spool_directory(source or "")
    known = default_spools()
    if len(known) == 1:
        return known[0]
    if not known:
        raise Problem(f"no spool is here yet. Say which with --spool DIR or ${SPOOL}.")
    listed = "\n".join(f"  {path}" for path in known)
    raise Problem(f"there are several spools; say which with --spool:\n{listed}")


def open_spool(options: argparse.Namespace) -> SpoolDirectory:
    """The directory of a spool that exists."""
    path = find_spool(options)
    if not (path / "FORMAT").is_file():
        raise Problem(f"{path} is no spool. Nothing was ever recorded there, or the directory is another.")
    directory = SpoolDirectory(path)
    directory.make()
    return directory


def transport_for(options: argparse.Namespace, path: Path, **more: Any) -> SpoolTransport:
    """A transport of this spool; raises `Problem` where nobody said where to send."""
    url, key = options.url or os.environ.get(URL), options.api_key or os.environ.get(API_KEY)
    if not url:
        raise Problem(f"where to? Set {URL} or give --url, for instance https://taximeter.example")
    if not key:
        raise Problem(f"no API key: set {API_KEY} to one with the scope 'ingest'")
    try:
        return SpoolTransport(
            url, api_key=key, directory=path, waits=Waits(first=0.5, longest=5, idle=0.05), exit_timeout=0.5, **more
        )
    except ValueError as error:
        raise Problem(str(error)) from None


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def counted(number: int, thing: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def in_units(size: int) -> str:
    """A size in bytes for people."""
    for unit, bytes_each in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_each:
            return f"{size / bytes_each:.1f} {unit}"
    return f"{size} bytes"
