"""What each agent did in a period, from the meters that know agents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from console.formats import percent
from console.queries.calls import merged
from console.queries.figures import Figures
from console.queries.usage import ZERO

#: The columns of the list, by the meter that fills each.
METERS = ("tasks", "succeeded_tasks", "turns", "decisions")


@dataclass(frozen=True, slots=True)
class AgentRow:
    """`values` are by meter; None where the organization has no such meter. `cost` is in `currency`, and what has no
    price is not in it."""

    agent: str
    values: dict[str, Decimal | None]
    compute_seconds: Decimal
    cost: Decimal
    currency: str
    unpriced_calls: int

    @property
    def success(self) -> str:
        tasks, succeeded = self.values["tasks"], self.values["succeeded_tasks"]
        return percent(succeeded or ZERO, tasks or ZERO)

    @property
    def cost_per_task(self) -> Decimal | None:
        tasks = self.values["tasks"]
        return self.cost / tasks if tasks else None

    @property
    def turns_per_task(self) -> Decimal | None:
        tasks, turns = self.values["tasks"], self.values["turns"]
        return turns / tasks if tasks and turns is not None else None


def list_agents(figures: Figures) -> list[AgentRow]:
    """Every agent at work in the period, the busiest by turns first; one query for each meter."""
    columns = {meter: figures.usage.by_agent(meter) for meter in METERS}
    calls, currency = figures.calls.costs_by_agent, figures.cost_currency
    agents = {agent for column in columns.values() for agent in column or ()} | set(calls)
    nothing = merged(())
    rows = [
        AgentRow(
            agent,
            {meter: None if column is None else column.get(agent, ZERO) for meter, column in columns.items()},
            calls.get(agent, nothing).quantities["compute_seconds"],
            calls.get(agent, nothing).costs.amounts.get(currency, ZERO),
            currency,
            calls.get(agent, nothing).costs.unpriced_calls,
        )
        for agent in agents
        if agent
    ]
    return sorted(rows, key=lambda row: (-(row.values["turns"] or ZERO), row.agent))
