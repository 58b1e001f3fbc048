"""A selection's figures as charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse

from console.charts import MOST_ROWS, Chart, Series
from console.formats import day_of_year, month
from console.queries.calls import amounts, measured
from console.queries.figures import Figures
from console.queries.usage import ZERO

NO_AGENT = "(no agent)"
NO_CUSTOMER = "(no customer)"
NOT_NAMED = "(not named)"


def usage_by_window(figures: Figures) -> Chart:
    """The selected meter by day, and by agent where it knows agents."""
    title = f"{figures.meter_name} by {figures.selection.window}"
    return _by_window(figures, "usage_by_day", title, figures.usage_by_window, is_cost=False)


def cost_by_window(figures: Figures) -> Chart:
    title = f"Cost by {figures.selection.window}"
    return _by_window(figures, "cost_by_day", title, figures.cost_by_window, is_cost=True)


def money_by_customer(figures: Figures) -> Chart:
    return _money(figures, "customer", figures.cost_by_customer)


def money_by_plan(figures: Figures) -> Chart:
    return _money(figures, "plan", figures.by_plan(figures.cost_by_customer))


def cost_by_agent(figures: Figures) -> Chart:
    return _cost(figures, "agent", figures.cost_by_agent)


def cost_by_model(figures: Figures) -> Chart:
    return _cost(figures, "model", amounts(figures.calls.by("model"), figures.cost_currency))


def cost_by_hardware(figures: Figures) -> Chart:
    return _cost(figures, "hardware", amounts(figures.calls.by("hardware"), figures.cost_currency))


def cost_by_region(figures: Figures) -> Chart:
    return _cost(figures, "region", amounts(figures.calls.by("region"), figures.cost_currency))


def compute_by_hardware(figures: Figures) -> Chart:
    values = measured(figures.calls.by("hardware"), lambda row: row.quantities["compute_seconds"])
    return _bars(figures, "compute_by_hardware", "Compute seconds by hardware", "hardware", values, unit="s")


def tokens_by_model(figures: Figures) -> Chart:
    """Input and output side by side."""
    rows = figures.calls.by("model")
    order = measured(rows, lambda row: row.quantities["input_tokens"] + row.quantities["output_tokens"])
    return Chart(
        key="tokens_by_model",
        title="Tokens by model",
        heading="Model",
        labels=_labels(figures, "model", order),
        links=_links(figures, "model", order),
        series=tuple(
            Series(name, tuple(rows[model].quantities[quantity] for model in order))
            for name, quantity in (("Input", "input_tokens"), ("Output", "output_tokens"))
        ),
        unit="tokens",
        horizontal=True,
    )


def usage_by_customer(figures: Figures) -> Chart:
    return _usage(figures, "customer", figures.usage_by_customer or {})


def usage_by_agent(figures: Figures) -> Chart:
    return _usage(figures, "agent", figures.usage_by_agent or {})


def usage_by_plan(figures: Figures) -> Chart:
    return _usage(figures, "plan", figures.by_plan(figures.usage_by_customer or {}))


#: The charts whose figures can be had as CSV, by key.
CHARTS: Mapping[str, Callable[[Figures], Chart]] = {
    "usage_by_day": usage_by_window,
    "cost_by_day": cost_by_window,
    "money_by_customer": money_by_customer,
    "money_by_plan": money_by_plan,
    "cost_by_agent": cost_by_agent,
    "cost_by_model": cost_by_model,
    "cost_by_hardware": cost_by_hardware,
    "cost_by_region": cost_by_region,
    "compute_by_hardware": compute_by_hardware,
    "tokens_by_model": tokens_by_model,
    "usage_by_customer": usage_by_customer,
    "usage_by_agent": usage_by_agent,
    "usage_by_plan": usage_by_plan,
}


def _by_window(
    figures: Figures, key: str, title: str, found: dict[str, dict[date, Decimal]] | None, *, is_cost: bool
) -> Chart:
    found = found or {}
    days = sorted({*figures.selection.windows, *(day for values in found.values() for day in values)})
    name = "Cost" if is_cost else figures.meter_name
    series = [
        Series(agent or (NO_AGENT if len(found) > 1 else name), tuple(values.get(day, ZERO) for day in days))
        for agent, values in sorted(found.items(), key=lambda item: -sum(item[1].values(), ZERO))
    ]
    written = day_of_year if figures.selection.window == "day" else month
    return Chart(
        key=key,
        title=title,
        heading=figures.selection.window.capitalize(),
        labels=tuple(map(written, days)),
        series=tuple(series) or (Series(name, (ZERO,) * len(days)),),
        unit="" if is_cost else figures.meter_unit,
        currency=figures.cost_currency if is_cost else None,
        stacked=True,
    )


def _money(figures: Figures, by: str, cost: dict[str, Decimal]) -> Chart:
    """Billed and cost side by side, in the currency in which most is billed."""
    revenue = figures.detailed_revenue
    currency = figures.currency
    billed = revenue.by(by, currency) if revenue else {}
    costs = cost if currency == figures.cost_currency else None
    names = list(dict.fromkeys([*billed, *(costs or {})]))
    series = [Series("Billed", tuple(billed.get(name, ZERO) for name in names))] if revenue else []
    if costs is not None:
        series.append(Series("Cost", tuple(costs.get(name, ZERO) for name in names)))
    others = [code for code in (revenue.currencies if revenue else []) if code != currency]
    return Chart(
        key=f"money_by_{by}",
        title=f"Billed and cost by {by}" if revenue else f"Cost by {by}",
        heading=by.capitalize(),
        labels=_labels(figures, by, names),
        links=_links(figures, by, names),
        series=tuple(series),
        currency=currency,
        horizontal=True,
        note=f"Only what is billed in {currency}; there is also {', '.join(others)}." if others else "",
    )


def _cost(figures: Figures, by: str, values: Mapping[str, Decimal]) -> Chart:
    return _bars(figures, f"cost_by_{by}", f"Cost by {by}", by, values, currency=figures.cost_currency, series="Cost")


def _usage(figures: Figures, by: str, values: Mapping[str, Decimal]) -> Chart:
    title = f"{figures.meter_name} by {by}"
    return _bars(figures, f"usage_by_{by}", title, by, values, unit=figures.meter_unit, series=figures.meter_name)


def _bars(
    figures: Figures, key: str, title: str, by: str, values: Mapping[str, Decimal], *, series: str = "", **fields: Any
) -> Chart:
    return Chart(
        key=key,
        title=title,
        heading=by.capitalize(),
        labels=_labels(figures, by, values),
        links=_links(figures, by, values),
        series=(Series(series or title.split(" by ", maxsplit=1)[0], tuple(values.values())),),
        horizontal=True,
        **fields,
    )


def _labels(figures: Figures, by: str, keys: Iterable[str]) -> tuple[str, ...]:
    if by == "customer":
        named = figures.named(keys)
        return tuple((named[key].name if key in named else key) or NO_CUSTOMER for key in keys)
    if by == "plan":
        return tuple(figures.plan_names.get(key, key) for key in keys)
    return tuple(key or (NO_AGENT if by == "agent" else NOT_NAMED) for key in keys)


def _links(figures: Figures, by: str, keys: Iterable[str]) -> tuple[str | None, ...]:
    """Of the rows that a page lists; the others have none."""
    listed, query = list(keys), figures.selection.query
    rest = (None,) * max(0, len(listed) - MOST_ROWS)
    listed = listed[:MOST_ROWS]
    if by == "customer":
        named, asked = figures.named(listed), query(customer=None)
        address = reverse("console:customer", args=["_"])[:-1]
        return (*(f"{address}{named[key].id}?{asked}" if key in named else None for key in listed), *rest)
    if by == "plan":
        address = reverse("console:plans")
        return (*(f"{address}#plan-{key}" for key in listed), *rest)
    address = reverse("console:agent" if by == "agent" else "console:models")
    return (*(f"{address}?{query(**{by: key})}" if key else None for key in listed), *rest)
