"""The real texts the demo's agents work on; `data/README.md` says where they are from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"
RECORDED_RUNS = DATA / "airline_runs.jsonl"


@dataclass(frozen=True, slots=True)
class DemoInput:
    """A text, and the answer that the agent's work is checked against."""

    id: str
    text: str
    answer: str


def change_notes() -> list[DemoInput]:
    """Notes on resolved issues; the answer is the kind of change."""
    return _read("change_notes.jsonl", "kind")


def airline_messages() -> list[DemoInput]:
    """First messages of an airline's customers; the answer is the queue, or `person`."""
    return _read("airline_messages.jsonl", "queue")


def _read(name: str, answer: str) -> list[DemoInput]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [DemoInput(row["id"], row["text"], row[answer]) for row in map(json.loads, lines)]
