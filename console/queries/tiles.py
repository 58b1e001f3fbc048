"""The figures at a glance that stand on top of a page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from agents.facade import DECISION, TURN
from console.formats import MINUS, NOTHING, day, money, months, percent, rounded, small_money
from console.queries.figures import Figures
from console.queries.revenue import Revenue
from console.queries.usage import ZERO

_METERS = {"tasks": "tasks", TURN: "turns", DECISION: "decisions"}


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure, what is said below it, and where it leads. `before` compares it with the stretch before."""

    label: str
    value: str
    detail: str = ""
    link: str = ""
    before: str = ""


def overview_tiles(figures: Figures) -> list[Tile]:
    return [*money_tiles(figures), *activity_tiles(figures)]


def money_tiles(figures: Figures) -> list[Tile]:
    return [_billed(figures), cost_tile(figures), _margin(figures)]


def activity_tiles(figures: Figures) -> list[Tile]:
    """Tasks with their success rate, turns, decisions and compute seconds."""
    usage = figures.usage
    tasks, succeeded = usage.total("tasks"), usage.total("succeeded_tasks")
    rate = f"{percent(succeeded, tasks)} succeeded" if tasks and succeeded is not None else ""
    found = [_counted(figures, "tasks", "Tasks", tasks, rate, _link(figures, "tasks"))]
    for key, label, type in (("turns", "Turns", TURN), ("decisions", "Decisions", DECISION)):
        total = usage.total(key)
        per_task = f"{rounded(total / tasks)} per task" if total is not None and tasks else ""
        found.append(_counted(figures, key, label, total, per_task, _link(figures, "events", type=type)))
    seconds = figures.calls.total.quantities["compute_seconds"]
    hours = f"{rounded(seconds / 3600)} hours" if seconds else ""
    before = compared(seconds, figures.calls.costs_before.quantities["compute_seconds"], figures)
    return [*found, Tile("Compute seconds", rounded(seconds), hours, _link(figures, "models"), before)]


def cost_tile(figures: Figures) -> Tile:
    unpriced = figures.calls.total.costs.unpriced_calls
    detail = f"and {unpriced:,} calls that have no price" if unpriced else "work in the period"
    others = [
        small_money(amount, code)
        for code, amount in sorted(figures.calls.total.costs.amounts.items())
        if code != figures.cost_currency and amount
    ]
    before = compared(figures.cost, figures.cost_before, figures)
    shown = small_money(figures.cost, figures.cost_currency)
    return Tile("Vendor cost", shown, ", ".join([detail, *others]), _link(figures, "models"), before)


def agent_cost_tiles(figures: Figures) -> list[Tile]:
    """What the work cost, and what a task did."""
    tasks, currency = figures.usage.total("tasks"), figures.cost_currency
    each = small_money(figures.cost / tasks, currency) if tasks else NOTHING
    return [cost_tile(figures), Tile("Cost per task", each, f"{rounded(tasks)} tasks" if tasks else "no task ended")]


def model_tiles(figures: Figures) -> list[Tile]:
    """Calls, tokens, compute seconds and cost, each beside the stretch before."""
    total, before = figures.calls.total, figures.calls.before
    used, was = total.quantities, before.quantities
    cached = f"{rounded(used['cached_input_tokens'])} from a cache" if used["cached_input_tokens"] else ""
    each = small_money(figures.cost / total.tasks, figures.cost_currency) if total.tasks else NOTHING
    hours = f"{rounded(used['compute_seconds'] / 3600)} hours"
    tokens_in, tokens_out, seconds = (
        compared(used[name], was[name], figures) for name in ("input_tokens", "output_tokens", "compute_seconds")
    )
    return [
        Tile("Calls", f"{total.calls:,}", "", "", compared(Decimal(total.calls), Decimal(before.calls), figures)),
        Tile("Input tokens", rounded(used["input_tokens"]), cached, "", tokens_in),
        Tile("Output tokens", rounded(used["output_tokens"]), "", "", tokens_out),
        Tile("Compute seconds", rounded(used["compute_seconds"]), hours, "", seconds),
        replace(cost_tile(figures), link=""),
        Tile("Cost per task", each, f"{total.tasks:,} tasks called a model"),
    ]


def compared(now: Decimal, before: Decimal, figures: Figures) -> str:
    """Such as "+12.0% on 1 - 28 Oct 2026"; nothing where there was nothing before."""
    if not before:
        return ""
    change = percent(now - before, before)
    return f"{change if change.startswith((MINUS, '-')) else f'+{change}'} on {figures.selection.before.days_in_words}"


def _counted(figures: Figures, meter: str, label: str, total: Decimal | None, detail: str, link: str) -> Tile:
    if total is None:
        return Tile(label, NOTHING, "not told apart by these filters" if meter in figures.usage.meters else "", "")
    before = figures.usage.total(meter, period=figures.selection.before.period) or ZERO
    return Tile(label, rounded(total), detail, link, compared(total, before, figures))


def _link(figures: Figures, page: str, **more: str) -> str:
    """To what a figure counts. A list of events or tasks knows no plan, so the meter's chart is shown for one."""
    selection = figures.selection
    if page == "models":
        return f"{reverse('console:models')}?{selection.query()}"
    if selection.plan:
        return f"?{selection.query(meter=_METERS[more.get('type', page)])}"
    days = {
        "from": selection.first.isoformat(),
        "to": min(selection.last, max(selection.today, selection.first)).isoformat(),
    }
    named = {name: value for name in ("customer", "agent") if (value := getattr(selection, name))}
    return f"{reverse(f'console:{page}')}?{urlencode({**days, **named, **more})}"


def _billed(figures: Figures) -> Tile:
    revenue, currency = figures.revenue, figures.currency
    if revenue is None:
        what = "agent" if figures.selection.agent else "model, hardware or region"
        return Tile("Billed", NOTHING, f"invoices are not split by {what}")
    link = _invoices(figures) if revenue.total(currency, "issued") else _upcoming(figures)
    shown = money(revenue.total(currency, "billed"), currency)
    return Tile("Billed", shown, _parts(revenue, currency), link, _before(figures, figures.billed_before))


def _invoices(figures: Figures) -> str:
    query = {"month": str(figures.selection.months[-1])}
    if figures.selection.customer:
        query["customer"] = figures.selection.customer
    return f"{reverse('console:invoices')}?{urlencode(query)}"


def _upcoming(figures: Figures) -> str:
    """Where what is not invoiced yet stands by customer."""
    return f"?{figures.selection.query()}#money"


def _before(figures: Figures, amount: Decimal | None) -> str:
    if amount is None:
        return ""
    of = figures.months_before
    return f"{money(amount, figures.currency)} in {months(of.months[0].first_day, of.months[-1].first_day)}"


def _parts(revenue: Revenue, currency: str) -> str:
    parts = [
        f"{money(amount, currency)} {part}"
        for part in ("issued", "upcoming")
        if (amount := revenue.total(currency, part))
    ]
    if revenue.as_of:
        local = timezone.localtime(revenue.as_of)
        parts[-1:] = [f"{one} as of {day(local.date())}, {local:%H:%M}" for one in parts[-1:]]
    if revenue.missing:
        parts.append(f"{revenue.missing:,} subscriptions are being worked out")
    if tax := revenue.total(currency, "tax"):
        parts.append(f"before {money(tax, currency)} tax")
    parts += [money(revenue.total(other, "billed"), other) for other in revenue.currencies if other != currency]
    return ", ".join(parts) or "nothing issued or upcoming"


def _margin(figures: Figures) -> Tile:
    """Of whole months, since invoices are: what was billed before tax, less what its work cost."""
    revenue, currency = figures.revenue, figures.currency
    if revenue is None:
        return Tile("Margin", NOTHING, "needs both sides")
    if currency != figures.cost_currency:
        return Tile("Margin", NOTHING, f"billed in {currency}, cost in {figures.cost_currency}")
    billed = revenue.total(currency, "billed")
    margin, before = billed - figures.cost_of_months, figures.billed_before
    detail = f"{percent(margin, billed)}, {figures.selection.months_in_words}"
    if figures.calls.total.costs.unpriced_calls:
        detail += ", less what has no price"
    was = _before(figures, None if before is None else before - figures.cost_of_months_before)
    return Tile("Margin", money(margin, currency), detail, f"?{figures.selection.query()}#money", was)
