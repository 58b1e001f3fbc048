"""A model behind llama.cpp's own server, as somebody else would run it: it knows nothing of Taximeter.

    python -m tests.sdk.model_server PORT KEY

prints `ready` and serves until its input ends.
"""

from __future__ import annotations

import sys

from inference.engine.model_file import model_path
from inference.engine.openmp import provide_openmp


def serve(port: int, key: str) -> None:
    provide_openmp()
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_path(""))
    parameters.hostnames, parameters.port = ["127.0.0.1"], port
    parameters.api_keys = [key]
    parameters.n_ctx, parameters.n_parallel, parameters.cache_ram_mib = 512, 1, 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.fit_params = parameters.ui = parameters.endpoint_slots = False
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    del server


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
