"""`python -m inference.engine --socket PATH [--model FILE]`: the engine without Django or a database.

`manage.py run_engine` is the usual way; it keeps the model catalogue too.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from inference.engine.config import DEFAULT_CONTEXT, DEFAULT_QUEUE_LIMIT, EngineConfig
from inference.engine.model_file import find_model_file
from inference.engine.process import serve
from kernel.errors import TaximeterError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.engine")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", default="", help="a GGUF file; without it the default model")
    parser.add_argument("--context", type=int, default=DEFAULT_CONTEXT)
    parser.add_argument("--queue-limit", type=int, default=DEFAULT_QUEUE_LIMIT)
    parser.add_argument("--hardware", default="cpu")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = EngineConfig(
            socket=options.socket,
            secret=os.environ.get("TAXIMETER_ENGINE_SECRET", ""),
            hardware=options.hardware,
            context=options.context,
            queue_limit=options.queue_limit,
        )
        serve(
            config,
            find_model_file(options.model),
            on_ready=lambda service: print(f"ready: {service.file.id}", flush=True),  # noqa: T201
        )
    except (TaximeterError, ValueError) as error:
        print(f"The engine cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    # Leaving without llama.cpp's destructors: they can hang, and the system frees all of it anyway.
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
