"""What work cost the vendor, by day of UTC and what did it, and what is left of what customers were charged for it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
from django.db.models import Sum

from agents.facade import CostQuestion, CostRow, costs
from billing.facade import InvoiceLine
from exports.columns import Rounding, Row, Rows, columns
from exports.kinds.billed import NOT_COUNTED, invoice_filters
from exports.kinds.usage import days_of
from exports.tables import Kind, Selection, Table, batches
from kernel.money import EXACT

_GROUPS = ("customer", "agent", "provider", "model", "hardware")
_QUANTITIES = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "compute_seconds")
_COSTS = columns(
    "day:day", *_GROUPS, "calls:count", *(f"{name}:number" for name in _QUANTITIES), "currency", "cost:price",
    "unpriced_calls:count",
)  # fmt: skip

_MARGINS = columns(
    "customer", "currency", "charged:money", "cost:price", "margin:price", "margin_percent:number",
    "unpriced_calls:count",
)  # fmt: skip
_ZERO = Decimal(0)


def _daily(selection: Selection, group_by: tuple[str, ...]) -> Iterator[tuple[Any, CostRow]]:
    for day in days_of(selection.month):
        question = CostQuestion(
            organization_id=selection.organization.pk,
            start=day.start,
            end=day.end,
            group_by=group_by,
            customer=selection.customer,
        )
        for row in costs(question):
            yield day.start.date(), row


def _cost_rows(selection: Selection) -> Iterator[Rows]:
    return batches(row for day, found in _daily(selection, _GROUPS) for row in _by_currency(day, found))


def _by_currency(day: Any, found: CostRow) -> Iterator[Row]:
    """A row for each currency of a group's costs; calls and quantities stand in the first, so that they add up."""
    amounts: list[tuple[str, Decimal | None]] = [*sorted(found.costs.amounts.items())] or [("", None)]
    names = [found.group[name] for name in _GROUPS]
    for place, (currency, amount) in enumerate(amounts):
        used = [found.calls, *(found.quantities[name] for name in _QUANTITIES)] if not place else [0, *[_ZERO] * 5]
        yield (day, *names, *used, currency, amount, 0 if place else found.costs.unpriced_calls)


def _margin_rows(selection: Selection) -> Iterator[Rows]:
    """By customer and currency. There is no margin where a call's cost is unknown, or is in another currency."""
    charged, spent = _charged(selection), _spent(selection)
    unpriced = spent[spent["unpriced_calls"] > 0].groupby("customer")["unpriced_calls"].sum().to_dict()
    spent = spent[spent["currency"] != ""].groupby(["customer", "currency"], as_index=False)["cost"].agg(_total)
    both = charged.merge(spent, on=["customer", "currency"], how="outer").sort_values(["customer", "currency"])
    currencies = both[both["cost"].notna()].groupby("customer")["currency"].agg(set).to_dict()
    rounding = Rounding(_MARGINS)
    rows = []
    for customer, currency, *sums in both.itertuples(index=False, name=None):
        amount, cost = (_ZERO if pd.isna(value) else value for value in sums)
        unknown = int(unpriced.get(customer, 0))
        foreign = currencies.get(customer, set()) - {currency}
        margin = None if unknown or foreign else EXACT.subtract(amount, cost)
        percent = None if margin is None or not amount else EXACT.divide(margin * 100, amount).quantize(Decimal("0.01"))
        rows.append(rounding.row((customer, currency, amount, cost, margin, percent, unknown)))
    return batches(iter(rows))


def _charged(selection: Selection) -> pd.DataFrame:
    """What the month's invoices charge each customer before tax, less discounts."""
    lines = InvoiceLine.objects.filter(**invoice_filters(selection, "invoice__")).exclude(
        invoice__status__in=NOT_COUNTED
    )
    sums = lines.values_list("invoice__customer__key", "invoice__currency").annotate(Sum("amount"), Sum("discount"))
    rows = [(key, currency, EXACT.subtract(amount, discount)) for key, currency, amount, discount in sums]
    return pd.DataFrame(rows, columns=["customer", "currency", "charged"], dtype=object)


def _spent(selection: Selection) -> pd.DataFrame:
    rows = []
    for _, found in _daily(selection, ("customer",)):
        customer = found.group["customer"] or ""
        rows.append((customer, "", _ZERO, found.costs.unpriced_calls))
        rows += [(customer, currency, amount, 0) for currency, amount in found.costs.amounts.items()]
    return pd.DataFrame(rows, columns=["customer", "currency", "cost", "unpriced_calls"], dtype=object)


def _total(values: Any) -> Decimal:
    result = _ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


COSTS = Kind(
    name="costs",
    tables=(
        Table(name="costs", title="Costs", columns=_COSTS, rows=_cost_rows),
        Table(name="margins", title="Margins", columns=_MARGINS, rows=_margin_rows),
    ),
)
