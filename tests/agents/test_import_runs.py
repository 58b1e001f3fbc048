"""Recorded runs become tasks, turns and decisions, once, and come to the invoice that can be worked out by hand."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.facade import Organization
from agents.facade import set_up_organization
from agents.importers.chat import import_runs
from agents.importers.report import FileUnreadable
from agents.importers.trajectories import read_run, run_events
from billing.facade import close_month, create_customer, create_plan, events_behind, invoices_of, subscribe
from kernel.errors import InvalidError
from kernel.period import Month
from metering.facade import UsageEvent

RUNS = Path(__file__).parents[1] / "data" / "airline_runs.jsonl.gz"
START = datetime(2026, 10, 5, 8, tzinfo=UTC)
NOW = datetime(2026, 11, 2, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return set_up_organization(name="Vendor")


def run(reward: Any = 1.0, *, trial: int = 0, tools: tuple[str, ...] = ("book",), answered: bool = True) -> str:
    """A user's question, an assistant's tool calls, their results, and an answer: two turns."""
    calls = [{"id": f"c{i}", "type": "function", "function": {"name": name}} for i, name in enumerate(tools)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "secret"} for call in calls if answered]
    messages = [{"role": "user", "content": "secret"}, {"role": "assistant", "tool_calls": calls}, *results]
    return json.dumps(
        {
            "task_id": 7,
            "trial": trial,
            "reward": reward,
            "messages": [*messages, {"role": "assistant", "content": "secret"}],
        }
    )


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def imported(organization: Organization, path: Path, **changes: Any) -> Any:
    arguments: dict[str, Any] = {
        "organization": organization,
        "customer": "skyline",
        "agent": "airline@4o",
        "start": START,
        "every": timedelta(minutes=5),
    }
    return import_runs(path, **(arguments | changes))


def events(organization: Organization) -> list[UsageEvent]:
    return list(UsageEvent.objects.filter(organization=organization).order_by("time", "event_id"))


def command(*arguments: str, path: Path = RUNS) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(
        "import_runs", str(path), "--organization", "vendor", "--customer", "skyline", "--agent", "airline",
        "--start", "2026-10-05T08:00:00Z", "--every", "5m", *arguments, stdout=out, stderr=err,
    )  # fmt: skip
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_hundred_runs_come_to_109_74(organization: Organization) -> None:
    customer = create_customer(organization=organization, key="skyline")
    prices = [("turns", "0.05"), ("decisions", "0.01"), ("succeeded_tasks", "0.99")]
    plan = create_plan(
        organization=organization,
        key="agent-activity",
        currency="USD",
        prices=[
            {"key": meter, "kind": "usage", "meter": meter, "model": {"type": "per_unit", "unit_amount": amount}}
            for meter, amount in prices
        ],
    )
    subscribe(customer=customer, plan=plan, starts_at=datetime(2026, 10, 1, tzinfo=UTC))

    out, _ = command()
    assert out.splitlines() == [
        "100 tasks, 43 of them succeeded",
        "1,229 turns, 572 decisions",
        "events: 2,473 accepted, 0 duplicates; lines rejected: 0",  # 100 + 1,229 + 572, and 572 tool calls
    ]
    close_month(organization=organization, month=Month(2026, 10), now=NOW)
    (invoice,) = invoices_of(organization.pk)
    lines = list(invoice.lines.all())
    assert [(line.price.key, str(line.quantity), str(line.amount)) for line in lines] == [
        ("turns", "1229", "61.45"),
        ("decisions", "572", "5.72"),
        ("succeeded_tasks", "43", "42.57"),
    ]
    assert (invoice.currency, str(invoice.total)) == ("USD", "109.74")
    behind, _ = events_behind(invoice=invoice, line=lines[0], limit=2000)
    assert len(behind) == 1229

    out, _ = command()
    assert out.splitlines()[2] == "events: 0 accepted, 2,473 duplicates; lines rejected: 0"
    close_month(organization=organization, month=Month(2026, 10), now=NOW)
    assert invoices_of(organization.pk).count() == 1


def test_a_message_is_a_turn_and_a_tool_call_a_decision(organization: Organization, tmp_path: Path) -> None:
    report = imported(organization, written(tmp_path, run(tools=("find", "book"))))
    assert (report.tasks, report.turns, report.decisions, report.succeeded) == (1, 2, 2, 1)
    stored = events(organization)
    assert Counter(event.type for event in stored) == {
        "agent.task": 1,
        "agent.turn": 2,
        "agent.decision": 2,
        "agent.tool_call": 2,
    }
    task = next(event for event in stored if event.type == "agent.task")
    assert task.subject == "skyline"
    assert {name: task.data[name] for name in ("agent", "agent_version", "outcome", "outcome_source", "goal")} == {
        "agent": "airline",
        "agent_version": "4o",
        "outcome": "succeeded",
        "outcome_source": "check",
        "goal": "task 7, trial 0",
    }
    # Four messages after the first, a second apart.
    assert task.time == START + timedelta(seconds=4)
    calls = [event for event in stored if event.type == "agent.tool_call"]
    decisions = {event.event_id: event.data["choice"] for event in stored if event.type == "agent.decision"}
    assert [(call.data["tool"], decisions[call.data["decision_id"]]) for call in calls] == [
        ("find", "find"),
        ("book", "book"),
    ]


def test_what_was_said_is_not_kept(organization: Organization, tmp_path: Path) -> None:
    imported(organization, written(tmp_path, run()))
    assert "secret" not in json.dumps([event.data for event in events(organization)])


@pytest.mark.parametrize(
    ("reward", "outcome"),
    [(1, "succeeded"), (1.5, "succeeded"), (0.9999, "failed"), (0, "failed"), (-1, "failed")],
)
def test_a_reward_of_one_is_success_and_less_is_failure(reward: float, outcome: str) -> None:
    stored = run_events(read_run(run(reward).encode()), customer="c", agent="a", starts_at=START)
    assert stored[-1]["data"]["outcome"] == outcome


def test_a_reward_just_below_one_is_not_rounded_up() -> None:
    line = run(0).replace('"reward": 0', '"reward": 0.99999999999999999999')
    assert not read_run(line.encode()).succeeded


def test_a_call_without_a_result_is_a_decision_and_no_tool_call(organization: Organization, tmp_path: Path) -> None:
    imported(organization, written(tmp_path, run(answered=False)))
    assert Counter(event.type for event in events(organization))["agent.tool_call"] == 0
    assert Counter(event.type for event in events(organization))["agent.decision"] == 1


def test_the_older_function_call_is_a_decision_too() -> None:
    messages = [
        {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
        {"role": "function", "name": "look", "content": "…"},
    ]
    found = read_run(json.dumps({"reward": 1, "messages": messages}).encode())
    kinds = [event["type"] for event in run_events(found, customer="c", agent="a", starts_at=START)]
    assert sorted(kinds) == ["agent.decision", "agent.task", "agent.tool_call", "agent.turn"]


def test_runs_start_one_after_the_other(organization: Organization, tmp_path: Path) -> None:
    imported(organization, written(tmp_path, run(trial=0), "broken", "", run(trial=1)))
    starts = {
        event.data["goal"]: event.data["started_at"] for event in events(organization) if event.type == "agent.task"
    }
    # The broken line keeps its place, so that mending it moves nobody; an empty one has none.
    assert starts == {"task 7, trial 0": "2026-10-05T08:00:00Z", "task 7, trial 1": "2026-10-05T08:10:00Z"}


def test_the_same_run_for_another_customer_or_agent_is_another_task(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, run())
    for changes in ({}, {"customer": "other"}, {"agent": "airline@5"}):
        assert imported(organization, path, **changes).accepted == 5
    assert len({event.data["task_id"] for event in events(organization)}) == 3


def test_spacing_and_order_of_keys_do_not_make_another_run(organization: Organization, tmp_path: Path) -> None:
    imported(organization, written(tmp_path, run()))
    value = json.loads(run())
    again = json.dumps(dict(reversed(value.items())), indent=None, separators=(" ,", ": "))
    assert imported(organization, written(tmp_path, again)).duplicates == 5


def test_equal_lines_of_a_file_are_one_run_and_another_trial_is_another(
    organization: Organization, tmp_path: Path
) -> None:
    report = imported(organization, written(tmp_path, run(), run(), run(trial=1)))
    assert (report.tasks, report.accepted, report.duplicates, report.rejected) == (2, 10, 5, 0)


def test_the_same_runs_at_other_times_are_refused(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, run())
    imported(organization, path)
    report = imported(organization, path, start=START + timedelta(days=1))
    assert (report.accepted, report.rejected, report.problems[0].code) == (0, 1, "id_conflict")
    assert len(events(organization)) == 5


BROKEN = {
    "{": "malformed_json",
    "[1]": "line_broken",
    '{"messages": []}': "reward_missing",
    '{"reward": "1", "messages": []}': "reward_missing",
    '{"reward": true, "messages": []}': "reward_missing",
    '{"reward": 1}': "messages_missing",
    '{"reward": 1, "messages": [{"role": "wizard"}]}': "role_unknown",
    '{"reward": 1, "messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]}': "tool_call_invalid",
    '{"reward": 1, "messages": [{"role": "assistant", "tool_calls": "book"}]}': "tool_call_invalid",
    "[" * 50_000: "malformed_json",
}


def test_broken_lines_are_named_and_the_rest_goes_in(organization: Organization, tmp_path: Path) -> None:
    path = written(tmp_path, run(trial=0), *BROKEN, run(trial=1))
    report = imported(organization, path)
    assert (report.tasks, report.accepted, report.rejected) == (2, 10, len(BROKEN))
    assert [(problem.line, problem.code) for problem in report.problems] == list(enumerate(BROKEN.values(), start=2))


def test_strict_takes_all_or_nothing(organization: Organization, tmp_path: Path) -> None:
    report = imported(organization, written(tmp_path, run(), "broken"), strict=True)
    assert (report.accepted, report.rejected, report.problems[0].line) == (0, 1, 2)
    assert events(organization) == []
    report = imported(organization, written(tmp_path, run()), strict=True)
    assert (report.accepted, report.rejected) == (5, 0)
    report = imported(organization, written(tmp_path, run(trial=1), run()), strict=True)  # now at another time
    assert (report.accepted, report.problems[0].line, report.problems[0].code) == (0, 2, "id_conflict")
    assert len(events(organization)) == 5


def test_the_command_says_what_it_refused_and_fails(organization: Organization, tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    arguments = ["--organization", "vendor", "--customer", "nobody", "--agent", "a", "--start", "2026-10-05"]
    with pytest.raises(CommandError, match=r"1 line\(s\) were not taken"):
        call_command(
            "import_runs", str(written(tmp_path, run(), "{\x1b[31m")), *arguments, "--every", "90s",
            stdout=out, stderr=err,
        )  # fmt: skip
    assert "line 2: not valid JSON" in err.getvalue()
    assert "\x1b" not in err.getvalue()
    assert "no customer 'nobody' yet" in err.getvalue()
    assert "importing: 100 %, 2 lines" in err.getvalue()
    assert "1 tasks, 1 of them succeeded" in out.getvalue()


@pytest.mark.parametrize("arguments", [["--every", "5 minutes"], ["--start", "yesterday"], ["--organization", "who"]])
def test_unusable_arguments_are_refused(organization: Organization, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        command(*arguments)
    assert events(organization) == []


@pytest.mark.parametrize("changes", [{"agent": ""}, {"agent": "@3"}, {"customer": ""}, {"every": timedelta(-1)}])
def test_unusable_values_are_refused(organization: Organization, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        imported(organization, RUNS, **changes)


def test_a_missing_or_cut_off_file_is_said_so(organization: Organization, tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="cannot be read"):
        imported(organization, tmp_path / "none.jsonl")
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(run().encode() * 1000)[:-40])
    with pytest.raises(FileUnreadable, match="after line"):
        imported(organization, cut)
