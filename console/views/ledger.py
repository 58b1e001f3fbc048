from __future__ import annotations

from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponseBase
from django.shortcuts import render

from billing.facade import transactions_of, trial_balance
from console.access import page
from console.queries.invoices import read_month
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.period import Month


@page()
def ledger(request: Any) -> HttpResponseBase:
    """A month's trial balance by currency, and the transactions of that month, newest first: all, or those that
    touch one account."""
    organization_id, asked = request.access.organization.pk, request.GET
    utc = ZoneInfo("UTC")
    month = read_month(asked["month"]) if asked.get("month") else Month.of(system_clock(), utc)
    period = month.period(utc)
    account = asked.get("account") or None
    rows = transactions_of(organization_id, account=account, start=period.start, end=period.end)
    found = page_of(rows.select_related("customer", "invoice"), asked.get("cursor"), newest_first=True)
    balances = groupby(trial_balance(organization_id, month), key=lambda row: row.currency)
    context = {
        "month": month,
        "balances": [(currency, list(rows)) for currency, rows in balances],
        "account": account,
        "transactions": found.rows,
        "next_cursor": found.next_cursor,
    }
    return render(request, "console/ledger.html", context)
