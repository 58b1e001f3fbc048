"""`python -m inference.engine --socket PATH [--model FILE…]`: the engine without Django or a database.

Its catalogue is the files on the command line. `manage.py run_engine` is the usual way: it has the catalogue
of the database, and its calls are recorded.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from inference.engine.catalogue import Catalogue, Entry
from inference.engine.config import EngineConfig
from inference.engine.model_file import find_model_file
from inference.engine.process import serve
from kernel.errors import TaximeterError

_MIB = 1024 * 1024


def main() -> int:
    options = vars(_parser().parse_args())
    models, memory = options.pop("model") or [""], options.pop("memory_mib")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        given = {name: value for name, value in options.items() if value is not None}
        if memory:
            given["memory_bytes"] = memory * _MIB
        config = EngineConfig(secret=os.environ.get("TAXIMETER_ENGINE_SECRET", ""), **given)
        catalogue = Catalogue([Entry(find_model_file(model)) for model in models])
        serve(config, catalogue, on_ready=lambda service: print(f"ready: {_first(catalogue)}", flush=True))  # noqa: T201
    except (TaximeterError, ValueError) as error:
        print(f"The engine cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _first(catalogue: Catalogue) -> str:
    return catalogue.entries()[0].id


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.engine")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument(
        "--model", action="append", help="a GGUF file, more than once for several; or the default model"
    )
    parser.add_argument("--context", type=int)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--flash-attention")
    parser.add_argument("--cache-type")
    parser.add_argument("--memory-mib", type=int)
    parser.add_argument("--queue-limit", type=int)
    parser.add_argument("--queue-seconds", type=float)
    parser.add_argument("--request-seconds", type=float)
    parser.add_argument("--spool", type=Path)
    parser.add_argument("--hardware")
    return parser


if __name__ == "__main__":
    # Leaving without llama.cpp's destructors: they can hang, and the system frees all of it anyway.
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
