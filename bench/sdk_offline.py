"""A day without the server: a million events recorded into the spool, then sent.

    python -m bench sdk_offline [EVENTS]

The recording process is one, the server a small one in this process, which keeps each identity once. Memory is the
recording process's resident size.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sdk" / "src"))

from tests.sdk.offline import through_the_night

MEBIBYTE = 1 << 20


def main(events: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as directory:
        night = through_the_night(Path(directory), events)
    print(f"  {night.recorded:,} events recorded offline, {night.spooled / MEBIBYTE:,.0f} MiB on the disk")
    print(
        f"  memory: {night.before / MEBIBYTE:.0f} MiB after the first 10,000, {night.after / MEBIBYTE:.0f} after the "
        f"last, {night.sending / MEBIBYTE:.0f} once all was sent"
    )
    print(
        f"  {night.arrived:,} arrived in {night.seconds:.0f} s, "
        f"{'in order per task' if night.in_order else 'OUT OF ORDER'}; lost {night.lost}, refused {night.refused}, "
        f"duplicates {night.duplicates}"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
