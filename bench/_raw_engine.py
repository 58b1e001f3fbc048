"""llama.cpp's own server with the engine's parameters and nothing of ours: `python -m bench._raw_engine SOCKET`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from bench.door import SECRET
from inference.engine.config import EngineConfig
from inference.engine.llama import parameters_of, xllamacpp
from inference.engine.model_file import find_model_file


def serve(path: str) -> None:
    file = find_model_file("")
    config = EngineConfig(socket=Path(path), secret=SECRET)
    parameters = parameters_of(file, file.path, config.context, config)
    parameters.hostnames = [path]
    parameters.api_keys = [SECRET]
    parameters.n_threads_http = 8
    server = xllamacpp.Server(parameters)
    signal.pause()
    del server


if __name__ == "__main__":
    serve(sys.argv[1])
