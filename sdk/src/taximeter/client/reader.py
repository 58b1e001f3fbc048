"""The client: one object for all that can be read, and for asking before acting."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType

from taximeter.client import budgets, endpoints, resources
from taximeter.client.asking import Asking, OnUnreachable
from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.models import BillingPolicy, CostReport, Usage
from taximeter.environment import API_KEY, URL
from taximeter.errors import ConfigurationError


class Client(Asking):
    """Reads usage, tasks, customers, invoices, credit, budgets and the books, and asks before agents act. Safe to share
    between threads.

        client = Client("https://taximeter.example", api_key="…")  # a key with the scope `read`
        for invoice in client.invoices.list(month="2026-10"):
            print(invoice.number, invoice.total, invoice.currency)

    Address and key may stand in TAXIMETER_URL and TAXIMETER_API_KEY. `timeout` is in seconds for each wait on the
    network. Reads are sent up to `attempts` times: after network errors, 429, 500, 502, 503 and 504, waiting as long
    as `Retry-After` says, up to `longest_wait` seconds.

    A check has `check_timeout` seconds in all. `on_unreachable` is what it comes to where Taximeter cannot be asked:
    `refuse` the work, `allow` it, or `raise` the error.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 10.0,
        attempts: int = 4,
        longest_wait: float = 30.0,
        check_timeout: float = 2.0,
        on_unreachable: OnUnreachable = "refuse",
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        url, api_key = url or os.environ.get(URL), api_key or os.environ.get(API_KEY)
        if not url or not api_key:
            raise ConfigurationError(f"a server and a key are needed: give url and api_key, or set {URL} and {API_KEY}")
        connection = Connection(
            url,
            api_key,
            timeout=timeout,
            attempts=attempts,
            longest_wait=longest_wait,
            ssl_context=ssl_context,
        )
        super().__init__(connection, check_timeout=check_timeout, on_unreachable=on_unreachable)
        self.customers = resources.Customers(self._connection)
        self.subscriptions = resources.Subscriptions(self._connection)
        self.invoices = resources.Invoices(self._connection)
        self.late_usage = resources.LateUsage(self._connection)
        self.charges = resources.Charges(self._connection)
        self.credit_notes = resources.CreditNotes(self._connection)
        self.payments = resources.Payments(self._connection)
        self.credit_grants = resources.CreditGrants(self._connection)
        self.coupons = resources.Coupons(self._connection)
        self.plans = resources.Plans(self._connection)
        self.pricing_units = resources.PricingUnits(self._connection)
        self.meters = resources.Meters(self._connection)
        self.events = resources.Events(self._connection)
        self.agents = resources.Agents(self._connection)
        self.cost_rates = resources.CostRates(self._connection)
        self.tasks = resources.Tasks(self._connection)
        self.ledger = resources.Ledger(self._connection)
        self.billing_runs = resources.BillingRuns(self._connection)
        self.budgets = budgets.Budgets(self._connection)
        self.features = budgets.Features(self._connection)
        self.reservations = budgets.Reservations(self._connection)

    def usage(
        self,
        meter: str,
        *,
        start: datetime,
        end: datetime,
        window: str = "total",
        timezone: str = "UTC",
        customer: str | None = None,
        group_by: Sequence[str] = (),
        where: Mapping[str, str] | None = None,
    ) -> Usage:
        """A meter's quantities in `start` ≤ t < `end`, exact to the last event the server has answered for.

        `window` is `minute`, `hour`, `day`, `month` or `total`, cut in `timezone`. `group_by` and `where` name the
        meter's dimensions; `customer` may stand in `group_by` too.
        """
        parameters = {
            **(where or {}),
            "from": start,
            "to": end,
            "window": window,
            "timezone": timezone,
            "customer": customer,
            "group_by": _names(group_by),
        }
        answer = self._connection.get(endpoints.USAGE.path_of(meter=meter), resources.written(parameters))
        return decode(Usage, answer)

    def costs(
        self,
        *,
        start: datetime,
        end: datetime,
        window: str = "total",
        customer: str | None = None,
        agent: str | None = None,
        group_by: Sequence[str] = (),
    ) -> CostReport:
        """What calls of models cost the vendor, in full hours of UTC with `start` ≤ t < `end`.

        `window` is `day` or `total`.
        """
        parameters: resources.Parameters = {
            "from": start,
            "to": end,
            "window": window,
            "customer": customer,
            "agent": agent,
            "group_by": _names(group_by),
        }
        return decode(CostReport, self._connection.get(endpoints.COSTS.path, resources.written(parameters)))

    def billing_policy(self) -> BillingPolicy:
        """How the organization bills."""
        return decode(BillingPolicy, self._connection.get(endpoints.BILLING_POLICY.path))

    def close(self) -> None:
        """Closes the connections that are kept open."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _names(names: Sequence[str]) -> str | None:
    if isinstance(names, str):
        raise TypeError('group_by is a list of names: ["agent"]')
    return ",".join(names) or None
