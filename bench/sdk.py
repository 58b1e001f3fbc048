"""What recording costs an agent, and how fast one process sends.

    python -m bench sdk [TURNS] [EVENTS]

Recording: the time of one turn, in one process, beside the OpenTelemetry SDK's span with its batch processor, langfuse
and openmeter, which are installed for this into `var/bench-sdk` (pip, about 90 MB, once). The contenders take turns in
rounds and each sends, in its own background, to a server that throws everything away. Sending: EVENTS that wait in a
spool, to Taximeter's own web server as in production, until the last is acknowledged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.http_ingest import web_server
from bench.setting import database
from launcher.paths import ROOT

PACKAGES = [
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
    "langfuse==5.0.4",
    "openmeter==1.0.0b236",
]
GOALS = {"taximeter, memory": 1.0, "taximeter, spool": 1.5}


def main(turns: int = 20_000, events: int = 200_000) -> None:
    _recording(turns)
    _sending(events)


def _recording(turns: int) -> None:
    python = _python_with_the_others()
    sink = subprocess.Popen(
        [sys.executable, "-m", "bench.sdk_sink"], cwd=ROOT, stdout=subprocess.PIPE, env=_environment(), text=True
    )
    assert sink.stdout is not None
    try:
        port = sink.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as spool:
            command = [str(python), str(ROOT / "bench" / "sdk_recording.py"), port, spool, str(turns)]
            done = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, text=True, check=True)
    finally:
        sink.kill()
        sink.wait()
        sink.stdout.close()
    told = json.loads(done.stdout.splitlines()[-1])
    for name, problem in told["missing"].items():
        print(f"  {name} takes no part: {problem}")
    for shape, measured in told["shapes"].items():
        print(f"  {shape}, {turns:,} each")
        base = measured["OpenTelemetry span"]["median"]
        for name, numbers in measured.items():
            ratio = numbers["median"] / base
            goal = GOALS.get(name)
            verdict = "" if goal is None else f", goal {goal:.1f}: {'met' if ratio <= goal else 'MISSED'}"
            print(
                f"    {name:22} median {numbers['median']:8.1f} µs   99 % within {numbers['p99']:9.1f} µs"
                f"   {ratio:6.2f} of the span{verdict}"
            )


def _sending(events: int) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now

        organization = create_organization(name="Bench")
        _, secret = create_api_key(organization=organization, scopes=["ingest"])
        with web_server(services) as (port, _), tempfile.TemporaryDirectory() as spool:
            command = [sys.executable, "-m", "bench.sdk_sending", str(port), spool, str(events)]
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=_environment() | {"TAXIMETER_API_KEY": secret},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
    told = json.loads(done.stdout.splitlines()[-1])
    verdict = "met" if told["speed"] >= 20_000 else "MISSED"
    print(f"  sending {events:,} events from one process: {told['speed']:,.0f} events/s, goal 20,000: {verdict}")
    print(
        f"    {told['processor']:.1f} µs of processor time an event; stored {told['stored']:,}, "
        f"duplicates {told['duplicates']:,}"
    )
    print(f"  recording and sending at once, until all arrived: {told['both']:,.0f} events/s")


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")])}


def _python_with_the_others() -> Path:
    """An interpreter with the packages to compare with; this one, with fewer of them, where they cannot be had."""
    named = os.environ.get("TAXIMETER_BENCH_PYTHON")
    if named:
        return Path(named)
    home = ROOT / "var" / "bench-sdk"
    python = home / "bin" / "python"
    stamp = home / "installed"
    if not stamp.exists() or stamp.read_text() != "\n".join(PACKAGES):
        print("  installing the packages to compare with …", flush=True)
        began = time.monotonic()
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True, timeout=600)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"  they cannot be installed ({error}): OpenTelemetry only")
            return Path(sys.executable)
        stamp.write_text("\n".join(PACKAGES))
        print(f"  installed in {time.monotonic() - began:.0f} s")
    return python


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
