"""Setting up an organization, and what its standard meters count of recorded work."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from accounts.facade import Organization, get_organization
from agents.facade import Agent, AgentVersion, meter_for, register_agent, set_up_organization
from kernel.period import Month
from metering.facade import UsageQuestion, meters_of, usage

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 10, 10, 12, tzinfo=UTC)
OCTOBER = Month(2026, 10).period(UTC)


def quantity(organization: Organization, meter: str, **where: str) -> Decimal:
    rows = usage(UsageQuestion(organization_id=organization.pk, meter=meter, period=OCTOBER, where=where))
    return rows[0].quantity if rows else Decimal(0)


def record(organization: Organization, task_id: str, *, outcome: str = "succeed", **fields: str) -> None:
    """A task of one turn with a decision, a tool call and a call of 0.25 seconds, 10 tokens in and 4 out."""
    meter = meter_for(organization_id=organization.pk, source="test", clock=lambda: NOON)
    with meter.task("t", customer="acme", agent="clerk@1", task_id=task_id, **fields) as task:
        with task.turn() as turn:
            turn.inference(
                model="m", input_tokens=10, output_tokens=4, compute_seconds="0.25", cost="0.001", cost_currency="USD"
            )
            turn.decision("tool", choice="sort")
            turn.tool_call("sort")
        getattr(task, outcome)()


def test_the_command_prints_the_key_and_nothing_else(capsys):
    call_command("create_organization", "Northern Lights")
    assert capsys.readouterr().out == "northern-lights\n"
    organization = get_organization("northern-lights")
    assert {meter.key for meter in meters_of(organization.pk)} == {
        "tasks",
        "turns",
        "decisions",
        "tool_calls",
        "succeeded_tasks",
        "compute_seconds",
        "input_tokens",
        "output_tokens",
        "cost",
    }


def test_a_taken_key_is_refused_and_makes_nothing():
    call_command("create_organization", "Vendor", stdout=None)
    with pytest.raises(CommandError, match="already"):
        call_command("create_organization", "Vendor")
    assert Organization.objects.count() == 1


def test_the_standard_meters_count_recorded_work():
    organization = set_up_organization(name="Vendor")
    record(organization, "one")
    record(organization, "two", outcome="fail")
    expected = {
        "tasks": "2",
        "turns": "2",
        "decisions": "2",
        "tool_calls": "2",
        "succeeded_tasks": "1",
        "compute_seconds": "0.5",
        "input_tokens": "20",
        "output_tokens": "8",
        "cost": "0.002",
    }
    assert {meter: quantity(organization, meter) for meter in expected} == {
        meter: Decimal(amount) for meter, amount in expected.items()
    }
    assert quantity(organization, "tasks", outcome="failed") == 1
    assert quantity(organization, "compute_seconds", agent="clerk", model="m") == Decimal("0.5")


def test_tests_are_not_counted():
    organization = set_up_organization(name="Vendor")
    record(organization, "one", environment="test")
    record(organization, "two", environment="production")
    for meter in ("tasks", "turns", "decisions", "tool_calls", "succeeded_tasks"):
        assert quantity(organization, meter) == 1
    assert quantity(organization, "compute_seconds") == Decimal("0.25")


def test_a_task_recorded_again_adds_nothing(caplog):
    organization = set_up_organization(name="Vendor")
    record(organization, "one")
    record(organization, "one")
    record(organization, "one", outcome="fail")
    assert quantity(organization, "turns") == quantity(organization, "succeeded_tasks") == 1
    assert quantity(organization, "tasks") == 1
    assert "id_conflict" in caplog.text


def test_an_agent_is_registered_once_with_all_its_versions():
    organization = set_up_organization(name="Vendor")
    for version in ("1", "2", "1"):
        register_agent(organization=organization, key="clerk", version=version)
    assert [agent.key for agent in Agent.objects.all()] == ["clerk"]
    assert [str(version) for version in AgentVersion.objects.all()] == ["clerk@1", "clerk@2"]
