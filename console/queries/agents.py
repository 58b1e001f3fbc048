"""What each agent did in a period, from the meters that know agents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from console.formats import percent
from console.queries.usage import ZERO, OrganizationUsage

#: The columns of the list, by the meter that fills each.
METERS = ("tasks", "succeeded_tasks", "turns", "decisions", "compute_seconds", "cost")


@dataclass(frozen=True, slots=True)
class AgentRow:
    """`values` are by meter; None where the organization has no such meter."""

    agent: str
    values: dict[str, Decimal | None]

    @property
    def success(self) -> str:
        tasks, succeeded = self.values["tasks"], self.values["succeeded_tasks"]
        return percent(succeeded or ZERO, tasks or ZERO)

    @property
    def cost_per_task(self) -> Decimal | None:
        tasks, cost = self.values["tasks"], self.values["cost"]
        return cost / tasks if tasks and cost is not None else None


def list_agents(usage: OrganizationUsage) -> list[AgentRow]:
    """Every agent at work in the period, the busiest by turns first; one query for each column."""
    columns = {meter: usage.by_agent(meter) for meter in METERS}
    agents = {agent for column in columns.values() for agent in column or ()}
    rows = [
        AgentRow(
            agent, {meter: None if column is None else column.get(agent, ZERO) for meter, column in columns.items()}
        )
        for agent in agents
        if agent
    ]
    return sorted(rows, key=lambda row: (-(row.values["turns"] or ZERO), row.agent))
