"""Schemathesis against a running server with a furnished organization: no answer 500, every answer as the schema says.

    make fuzz ARGS="[SECONDS [SEED]]"

An organization with customers, subscriptions, invoices, budgets and months of usage, and one more of whatever can be
created by a POST; then requests by the OpenAPI document, well-formed and not, half of them about things that exist.
Statuses, media types, headers and bodies of all answers are held to the document. It ends with status 1 for a fault.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.http_ingest import web_server
from bench.setting import database
from launcher import process
from tests.inference.engine_process import MODELS, SECRET, start_engine

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_HERE = Path(__file__).parent.parent

_FUZZED = "Fuzzed"
#: One more of what the showcase lacks, made by the API.
_MORE: list[tuple[str, dict[str, Any]]] = [
    ("coupons", {"key": "welcome", "percent": "10"}),
    ("features", {"key": "sso", "name": "Single sign-on"}),
    ("test_clocks", {"now": "2026-01-01T00:00:00Z"}),
    ("webhook_endpoints", {"url": "https://hooks.example.com/taximeter", "description": "All that happens"}),
    ("invitations", {"email": "colleague@example.com", "role": "developer"}),
    ("api_keys", {"name": _FUZZED, "scopes": ["read"]}),
    ("exports", {"kind": "invoices", "month": "2026-10", "format": "csv"}),
    ("pricing_units", {"key": "credits", "currency": "USD", "rate": "0.01"}),
]


def main(seconds: int = 600, seed: int = 0) -> None:
    runner = _runner()
    with database() as services:
        from accounts.facade import create_api_key  # noqa: PLC0415 - Django is set up only now
        from tests.browser.showcase import make_showcase  # noqa: PLC0415

        vendor = make_showcase(datetime.now(UTC) - timedelta(minutes=5))
        _, secret = create_api_key(organization=vendor.organization, scopes=["admin"])
        with engine(), web_server(services) as (port, _), tempfile.TemporaryDirectory() as place:
            address = f"http://127.0.0.1:{port}"
            headers = {"Authorization": f"Bearer {secret}"}
            with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
                for path, body in _MORE:
                    made = client.post(f"/api/v1/{path}", json=body)
                    print(f"  {path}: {made.status_code}" + ("" if made.is_success else f" {made.text[:300]}"))
                document = client.get("/api/v1/schema/?format=json").json()
                file = Path(place, "schemathesis.toml")
                file.write_text(_configuration(_known(client, document)))
            command = [runner, "--config-file", file, "run", f"{address}/api/v1/schema/?format=json", "--url", address]
            command += ["--header", f"Authorization: Bearer {secret}", "--checks", ",".join(CHECKS)]
            command += ["--max-time", str(seconds), "--workers", "1", "--continue-on-failure", "--no-shrink"]
            command += ["--request-timeout", "60", "--seed", str(seed), "--generation-database", "none", "--no-color"]
            # Links between operations lead to the key that is sent, too: its deletion comes last.
            revoke = "delete_api_keys_by_api_key"
            parts = [["--exclude-operation-id", revoke], ["--include-operation-id", revoke, "--max-time", "10"]]
            ended = [subprocess.run([*map(str, command), *part], cwd=place, check=False).returncode for part in parts]
            log = process.tail(services.directory / "web.log", 2000)
            faults = [line for line in log.splitlines() if " ERROR " in line or "Traceback" in line]
            print(f"  the web server logged {len(faults)} errors", *faults[:20], sep="\n    ")
    sys.exit(int(any(ended)))


@contextmanager
def engine() -> Iterator[None]:
    """An engine with a small model, for the endpoints that it answers."""
    running = start_engine(MODELS / "tiny-llama.gguf")
    os.environ |= {"TAXIMETER_ENGINE_SOCKET": str(running.socket), "TAXIMETER_ENGINE_SECRET": SECRET}
    try:
        yield
    finally:
        running.stop()


def _runner() -> Path:
    """Schemathesis, in an environment of its own: its dependencies are none of the server's."""
    runner = Path(os.environ.get("SCHEMATHESIS", _HERE / ".venv" / "fuzz" / "bin" / "st"))
    if not runner.exists():
        print(f"{runner} is missing. Run this by make fuzz, which installs it, or name it in SCHEMATHESIS.")
        sys.exit(2)
    return runner


def _known(client: httpx.Client, document: dict[str, Any]) -> dict[str, list[str]]:
    """Ids and keys of things that exist, by the name of the path parameter that takes them."""
    found: dict[str, set[str]] = {}
    for path in document["paths"]:
        match = re.match(r"(/api/v1/[a-z_]+)/\{(\w+)\}", path)
        if match and match[2] == "api_key":  # not the one that is sent: its deletion would end the trial
            keys = client.get(match[1]).json()["data"]
            found["api_key"] = {one["id"] for one in keys if one["name"] == _FUZZED}
        elif match and match[1] in document["paths"] and "get" in document["paths"][match[1]]:
            found.setdefault(match[2], set()).update(_references(client.get(f"{match[1]}?limit=5").json()))
    return {name: sorted(values) for name, values in found.items() if values}


def _references(answer: Any) -> Iterator[str]:
    for one in answer.get("data", []):
        yield from (str(one[name]) for name in ("id", "key", "task_id") if one.get(name))


def _configuration(known: dict[str, list[str]]) -> str:
    """Schemathesis' settings: half of the references are of `known` things."""
    lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in known.items()]
    lines.append("[parameters]")
    lines += [f'{name} = {{ dictionary = "{name}", probability = 0.5 }}' for name in known]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
