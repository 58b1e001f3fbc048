"""API of the ledger."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from rest_framework.response import Response
from rest_framework.views import APIView

from billing.customers.queries import get_customer
from billing.invoicing.api import month_of
from billing.ledger import answers, presenters
from billing.ledger.models import TransactionKind
from billing.ledger.postings import Account
from billing.ledger.queries import account_balances, revenue_schedule, transactions_of, trial_balance
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.period import Month
from rest.lookup import instant_parameter
from rest.pagination import page
from rest.schema import page_of

#: Months that one revenue schedule shows at most.
_MOST_MONTHS = 120


def _customer_id(request: Any) -> str | None:
    reference = request.query_params.get("customer")
    return get_customer(organization_id=request.auth.organization_id, customer=reference).pk if reference else None


def _one_of(request: Any, name: str, choices: list[str]) -> str | None:
    value = request.query_params.get(name) or None
    if value is not None and value not in choices:
        raise InvalidError(f"{name} is one of {', '.join(choices)}", code=f"{name}_invalid")
    return value


class TransactionsView(APIView):
    """What was posted to the ledger, oldest first."""

    answers = {"GET": page_of(answers.LedgerTransaction)}
    filters = ("customer", "account", "kind", "from", "to")

    def get(self, request: Any) -> Response:
        rows = transactions_of(
            request.auth.organization_id,
            customer_id=_customer_id(request),
            account=_one_of(request, "account", [account.value for account in Account]),
            kind=_one_of(request, "kind", TransactionKind.values),
            start=instant_parameter(request.query_params, "from"),
            end=instant_parameter(request.query_params, "to"),
        )
        return Response(page(rows, request.query_params, presenters.transaction))


class BalancesView(APIView):
    """Each account's balance by currency, of all that happened before `at`; a debit is positive."""

    answers = {"GET": answers.AccountBalances}
    filters = ("at", "customer")

    def get(self, request: Any) -> Response:
        at = instant_parameter(request.query_params, "at")
        found = account_balances(request.auth.organization_id, at=at, customer_id=_customer_id(request))
        return Response({"at": at, "data": [presenters.balance(one) for one in found]})


class TrialBalanceView(APIView):
    """A month (UTC) of every account, the last one that is over unless `month` says which."""

    answers = {"GET": answers.TrialBalance}
    filters = ("month",)

    def get(self, request: Any) -> Response:
        asked = request.query_params.get("month")
        month = month_of(asked) if asked else Month.of(system_clock(), ZoneInfo("UTC")).previous()
        rows = trial_balance(request.auth.organization_id, month)
        return Response(
            {
                "month": str(month),
                "data": [presenters.trial_balance_row(row) for row in rows],
                "totals": presenters.trial_balance_totals(rows),
            }
        )


class RevenueScheduleView(APIView):
    """Revenue by month: posted as earned, still to be earned, and deferred after it. A year back and a year ahead,
    unless `from` and `to` (months) say otherwise."""

    answers = {"GET": answers.RevenueSchedule}
    filters = ("from", "to", "customer")

    def get(self, request: Any) -> Response:
        parameters = request.query_params
        present = Month.of(system_clock(), ZoneInfo("UTC"))
        year_ago, next_year = Month(present.year - 1, present.month), Month(present.year + 1, present.month)
        first = month_of(parameters["from"]) if parameters.get("from") else year_ago
        last = month_of(parameters["to"]) if parameters.get("to") else next_year
        if not 0 <= (last.year - first.year) * 12 + last.month - first.month < _MOST_MONTHS:
            raise InvalidError(f"Ask for 1 to {_MOST_MONTHS} months", code="months_invalid")
        found = revenue_schedule(
            request.auth.organization_id, first=first, last=last, customer_id=_customer_id(request)
        )
        return Response({"data": [presenters.revenue_month(one) for one in found]})
