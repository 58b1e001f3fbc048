"""The figures at a glance that stand on top of a page."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse

from console.formats import NOTHING, money, percent, rounded, small_money
from console.queries.figures import Figures
from console.queries.revenue import Revenue
from console.queries.usage import ZERO


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure, what is said below it, and where it leads."""

    label: str
    value: str
    detail: str = ""
    link: str = ""


def overview_tiles(figures: Figures) -> list[Tile]:
    return [_billed(figures), cost_tile(figures), _margin(figures), *activity_tiles(figures)]


def activity_tiles(figures: Figures) -> list[Tile]:
    """Tasks with their success rate, turns, decisions and compute seconds."""
    query, usage = figures.selection.query, figures.usage
    tasks, succeeded = usage.total("tasks"), usage.total("succeeded_tasks")
    rate = f"{percent(succeeded, tasks)} succeeded" if tasks and succeeded is not None else ""
    found = [Tile("Tasks", _written(tasks), rate, f"?{query(meter='tasks')}")]
    for key, label in (("turns", "Turns"), ("decisions", "Decisions")):
        total = usage.total(key)
        per_task = f"{rounded(total / tasks)} per task" if total is not None and tasks else ""
        found.append(Tile(label, _written(total), per_task, f"?{query(meter=key)}"))
    seconds = usage.total("compute_seconds")
    hours = f"{rounded(seconds / 3600)} hours" if seconds else ""
    return [*found, Tile("Compute seconds", _written(seconds), hours, f"?{query(meter='compute_seconds')}")]


def cost_tile(figures: Figures) -> Tile:
    if figures.cost is None:
        return Tile("Vendor cost", NOTHING, "no meter counts it")
    return Tile("Vendor cost", small_money(figures.cost, figures.cost_currency), "work in the period")


def _billed(figures: Figures) -> Tile:
    revenue, currency = figures.revenue, figures.currency
    if revenue is None:
        return Tile("Billed", NOTHING, "invoices are not split by agent")
    link = f"{reverse('console:invoices')}?month={figures.selection.months[-1]}"
    return Tile("Billed", money(revenue.total(currency, "billed"), currency), _parts(revenue, currency), link)


def _parts(revenue: Revenue, currency: str) -> str:
    parts = [
        f"{money(amount, currency)} {part}"
        for part in ("issued", "upcoming")
        if (amount := revenue.total(currency, part))
    ]
    if tax := revenue.total(currency, "tax"):
        parts.append(f"before {money(tax, currency)} tax")
    parts += [money(revenue.total(other, "billed"), other) for other in revenue.currencies if other != currency]
    return ", ".join(parts) or "nothing issued or upcoming"


def _margin(figures: Figures) -> Tile:
    """Of whole months, since invoices are: what was billed before tax, less what its work cost."""
    revenue, currency = figures.revenue, figures.currency
    if revenue is None or figures.cost is None:
        return Tile("Margin", NOTHING, "needs both sides")
    if currency != figures.cost_currency:
        return Tile("Margin", NOTHING, f"billed in {currency}, cost in {figures.cost_currency}")
    billed = revenue.total(currency, "billed")
    margin = billed - (figures.cost_of_months or ZERO)
    return Tile("Margin", money(margin, currency), f"{percent(margin, billed)}, {figures.selection.months_in_words}")


def _written(value: Decimal | None) -> str:
    return NOTHING if value is None else rounded(value)
