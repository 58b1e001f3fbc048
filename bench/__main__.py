"""`python -m bench [NAME…]`: run the benchmarks of this directory, all of them or those named.

A benchmark is a module with a `main()` that prints what it measured.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> int:
    """Answers the exit status: 2 for a name that is none."""
    known = sorted(
        module.name
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if module.name[0] != "_" and module.name != "setting"
    )
    wanted = sys.argv[1:] or known
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"No benchmark is named {', '.join(unknown)}. There are: {', '.join(known) or 'none yet'}.")
        return 2
    if not wanted:
        print("There are no benchmarks yet.")
    for name in wanted:
        print(f"== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
