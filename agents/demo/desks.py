"""The demo's two agents and the desks they work at.

The model is very small: it follows examples better than instructions, so each turn shows it a few, and
the last example weighs most. Of a few sets tried on the demo's texts the best was kept: it labels half of
them as their authors did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from agents.demo.inputs import DemoInput
from agents.runtime.model import Message
from agents.runtime.tools import Finish, MaxLength, Tool, tool
from agents.runtime.work import AgentDefinition

TRIAGE = AgentDefinition(
    key="issue-triage",
    version="1",
    name="Issue triage",
    goal="triage-issue",
    max_turns=4,
    max_tokens=48,
)
ROUTER = AgentDefinition(
    key="message-router",
    version="1",
    name="Message router",
    goal="route-message",
    max_turns=3,
    max_tokens=32,
)

Example = tuple[str, Mapping[str, str]]


def _conversation(examples: Sequence[Example], text: str) -> list[Message]:
    messages: list[Message] = []
    for said, answer in examples:
        messages.append({"role": "user", "content": said})
        messages.append({"role": "assistant", "content": json.dumps(answer, separators=(",", ":"))})
    return [*messages, {"role": "user", "content": text}]


class TriageDesk:
    """Label an issue, rate it, and file it under a short title; or ask a person at any point."""

    def __init__(self, given: DemoInput) -> None:
        self._given = given
        self._kind: str | None = None
        self._impact: str | None = None

    def label(self, kind: Literal["bug", "feature", "documentation"]) -> str:
        """Say what kind of issue it is."""
        self._kind = kind
        return kind

    def rate(self, impact: Literal["low", "high"]) -> str:
        """Say how much it matters to users."""
        self._impact = impact
        return f"{impact} impact"

    def file(self, title: Annotated[str, MaxLength(48)]) -> Finish:
        """File it under a short title."""
        return Finish("succeeded" if self._kind == self._given.answer else "failed", source="check")

    def ask_person(self) -> Finish:
        """Leave it to a person."""
        return Finish("escalated")

    def tools(self) -> list[Tool]:
        step = self.label if self._kind is None else self.rate if self._impact is None else self.file
        return [tool(step), tool(self.ask_person)]

    def messages(self) -> list[Message]:
        if self._kind is None:
            return _conversation(_LABELS, self._given.text)
        if self._impact is None:
            return _conversation(_RATINGS, f"{self._kind}: {self._given.text}")
        return _conversation(_TITLES, self._given.text)


_LABELS: list[Example] = [
    ("An error is no longer raised for empty names.", {"tool": "label", "kind": "bug"}),
    ("The report now shows the names of the tests.", {"tool": "label", "kind": "feature"}),
    ("The guide now explains how to set the path.", {"tool": "label", "kind": "documentation"}),
]
_RATINGS: list[Example] = [
    ("bug: The program crashes at start.", {"tool": "rate", "impact": "high"}),
    ("documentation: A typing error in the tutorial.", {"tool": "rate", "impact": "low"}),
]
_TITLES: list[Example] = [
    ("Fixed a crash when the file that is given is empty.", {"tool": "file", "title": "Crash on empty files"}),
]


class RouterDesk:
    """Send a customer's message to a queue and say how urgent it is; or hand it over to a person."""

    def __init__(self, given: DemoInput) -> None:
        self._given = given
        self._queue: str | None = None

    def route(self, queue: Literal["booking", "change", "cancellation"]) -> str:
        """Send the message to a queue."""
        self._queue = queue
        return queue

    def prioritize(self, urgency: Literal["normal", "urgent"]) -> Finish:
        """Say how urgent the message is."""
        return Finish("succeeded" if self._queue == self._given.answer else "failed", source="check")

    def hand_over(self) -> Finish:
        """Hand the customer over to a person."""
        return Finish("escalated")

    def tools(self) -> list[Tool]:
        return [tool(self.route if self._queue is None else self.prioritize), tool(self.hand_over)]

    def messages(self) -> list[Message]:
        return _conversation(_ROUTES if self._queue is None else _URGENCIES, self._given.text)


_ROUTES: list[Example] = [
    ("My flight was late and I want compensation.", {"tool": "hand_over"}),
    ("I want to book a flight from Boston to Denver.", {"tool": "route", "queue": "booking"}),
    ("Please cancel my trip.", {"tool": "route", "queue": "cancellation"}),
    ("Could you move my flight to another day?", {"tool": "route", "queue": "change"}),
]
_URGENCIES: list[Example] = [
    ("This is the third time I ask, I want to talk to a manager.", {"tool": "hand_over"}),
    ("My flight leaves in an hour!", {"tool": "prioritize", "urgency": "urgent"}),
    ("I want to book a flight for next month.", {"tool": "prioritize", "urgency": "normal"}),
]
