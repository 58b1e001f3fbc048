"""Every way in for usage events, each as a function that sends events and answers what became of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from taximeter.delivery.answers import Answer, Verdict, receipt_of
from taximeter.delivery.sender import Sender
from taximeter.encoding import encode_event
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.outbox import SpoolOutbox

from agents.importers.records import import_records
from agents.importers.rows import import_events
from metering.facade import ingest
from metering.models import EventIdentity
from tests.api import Api
from tests.metering.otlp import AGENT, PROTOBUF, request, span, to_protobuf

#: What became of an event: `accepted`, `duplicate`, `quarantined` or `rejected`, and for the last two the code.
Told = tuple[str, str | None]

_QUARANTINED = re.compile(r"in quarantine and count once they are released \((\w+): 1\)")
_REFUSED = re.compile(r"spans were refused \((\w+): 1\)")


@dataclass(frozen=True)
class Case:
    """A task's end of `subject` at `time` with `outcome`; `number` tells it from others at its door."""

    number: int
    subject: str | None
    time: datetime
    outcome: str

    def event(self, goal: str) -> dict[str, Any]:
        event = {
            "specversion": "1.0",
            "id": f"e{self.number}",
            "source": "doors",
            "type": "agent.task",
            "time": self.time.isoformat(),
            "data": {"goal": goal, "outcome": self.outcome},
        }
        return event if self.subject is None else event | {"subject": self.subject}

    def spans(self, goal: str, trace: str) -> dict[str, Any]:
        """The same as an OTLP request with one span."""
        named = {} if self.subject is None else {"taximeter.customer": self.subject}
        values = {**AGENT, **named, "taximeter.goal": goal, "taximeter.outcome": self.outcome}
        ended = str(int(self.time.timestamp()) * 10**9)
        one = span("", values, spanId=f"{self.number + 1:016x}", traceId=trace, endTimeUnixNano=ended)
        return request(one | {"startTimeUnixNano": ended}, resource={})


Door = Callable[[Api, Path, Sequence[Case], str], list[Told]]


def _told(answer: Mapping[str, Any], sent: int) -> list[Told]:
    """The answer's words of each event, in which those that are not named are all of one kind."""
    named: dict[int, Told] = {one["index"]: ("rejected", one["code"]) for one in answer["rejected"]}
    named |= {one["index"]: ("quarantined", one["code"]) for one in answer.get("quarantined", [])}
    accepted, duplicates = answer["accepted"], answer["duplicates"]
    assert accepted + duplicates + len(named) == sent
    assert not accepted or not duplicates
    return [named.get(index, ("accepted" if accepted else "duplicate", None)) for index in range(sent)]


def _events(media_type: str, query: str = "") -> Door:
    def door(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
        body = json.dumps([case.event(goal) for case in cases])
        return _told(api.client.post(f"/api/v1/events{query}", body, content_type=media_type).json(), len(cases))

    return door


def _one_event(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
    told: list[Told] = []
    for case in cases:
        body = json.dumps(case.event(goal))
        answer = api.client.post("/api/v1/events", body, content_type="application/cloudevents+json")
        told += _told(answer.json(), 1)
    return told


def _otlp(media_type: str, trace: str) -> Door:
    def door(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
        return [_sent_span(api, media_type, case.spans(goal, trace)) for case in cases]

    return door


def _sent_span(api: Api, media_type: str, body: dict[str, Any]) -> Told:
    before = EventIdentity.objects.count()
    sent = to_protobuf(body) if media_type == PROTOBUF else json.dumps(body)
    answer = api.client.post("/v1/traces", sent, content_type=media_type)
    assert answer.status_code == 200
    message = answer.content.decode(errors="replace")
    if refused := _REFUSED.search(message):
        return "rejected", refused.group(1)
    if quarantined := _QUARANTINED.search(message):
        return "quarantined", quarantined.group(1)
    return ("accepted" if EventIdentity.objects.count() > before else "duplicate"), None


def _ingest(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
    result = ingest(
        organization_id=api.organization.pk,
        events=[case.event(goal) for case in cases],
        received_at=datetime.now(UTC),
        sent_once=True,
    )
    return _told(msgspec.to_builtins(result), len(cases))


def _spool(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
    """Events in the SDK's spool files, whatever made them, sent as the SDK sends them."""
    directory = SpoolDirectory(path / f"spool-{goal}")
    outbox, told = SpoolOutbox(directory), list[Told]()

    def post(payloads: list[bytes]) -> Answer:
        body = b"[" + b",".join(payloads) + b"]"
        answer = api.client.post("/api/v1/events", body, content_type="application/cloudevents-batch+json")
        told.extend(_told(answer.json(), len(payloads)))
        return Answer(Verdict.STORED, status=200, receipt=receipt_of(answer.json(), sent=len(payloads)))

    outbox.put([encode_event(case.event(goal)) for case in cases])
    sender = Sender(outbox, post)
    sender._send_here(outbox.mark(), None)
    assert [one["code"] for one in directory.refused()] == [code for kind, code in told if kind == "rejected"]
    assert sender.progress.quarantined == sum(kind == "quarantined" for kind, _ in told)
    outbox.close()
    return told


def _rows(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
    columns = [
        {
            "id": f"e{case.number}",
            "at": case.time.isoformat(),
            "who": case.subject,
            "outcome": case.outcome,
            "goal": goal,
        }
        for case in cases
    ]
    file = path / f"{goal}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in columns))
    report = import_events(
        file,
        organization=api.organization,
        type="agent.task",
        time="at",
        data={"outcome": "outcome", "goal": "goal"},
        customer_column="who",
        id_column="id",
        source="doors",
    )
    return _reported(report, len(cases))


def _otlp_file(api: Api, path: Path, cases: Sequence[Case], goal: str) -> list[Told]:
    file = path / f"{goal}.jsonl"
    file.write_text("".join(json.dumps(case.spans(goal, "3" * 32)) + "\n" for case in cases))
    return _reported(import_records(file, organization=api.organization, format="otlp"), len(cases))


def _reported(report: Any, sent: int) -> list[Told]:
    named: dict[int, Told] = {
        one.line - 1: ("quarantined" if one.detail.startswith("in quarantine") else "rejected", one.code)
        for one in report.problems
    }
    kinds = [kind for kind, _ in named.values()]
    assert (kinds.count("rejected"), kinds.count("quarantined")) == (report.rejected, report.quarantined)
    assert report.accepted + report.duplicates + len(named) == sent
    assert not report.accepted or not report.duplicates
    return [named.get(index, ("accepted" if report.accepted else "duplicate", None)) for index in range(sent)]


DOORS: dict[str, Door] = {
    "REST": _events("application/json"),
    "CloudEvents, one": _one_event,
    "CloudEvents, a batch": _events("application/cloudevents-batch+json"),
    "a stated backfill": _events("application/json", "?backfill=true"),
    "the SDK's spool": _spool,
    "import_events": _rows,
    "import_runs, otlp": _otlp_file,
    "OTLP in JSON": _otlp("application/json", "1" * 32),
    "OTLP in protobuf": _otlp(PROTOBUF, "2" * 32),
    "ingest, sent once": _ingest,
}
#: Doors that bring older history.
HISTORY = {"a stated backfill", "import_events", "import_runs, otlp"}
#: Doors whose senders send each event once and read no answers.
SENT_ONCE = {"OTLP in JSON", "OTLP in protobuf", "ingest, sent once"}
