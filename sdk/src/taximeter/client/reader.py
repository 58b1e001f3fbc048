"""The client: one object for all that can be read."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType

from taximeter.client import endpoints
from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.models import Usage
from taximeter.client.resources import (
    BillingRuns,
    Customers,
    Events,
    Invoices,
    Meters,
    Plans,
    Subscriptions,
    written,
)


class Client:
    """Reads usage, customers, subscriptions and invoices. Safe to share between threads.

        client = Client("https://taximeter.example", api_key="…")  # a key with the scope `read`
        for invoice in client.invoices.list(month="2026-10"):
            print(invoice.number, invoice.total, invoice.currency)

    `timeout` is in seconds for each wait on the network. Reads are sent up to `attempts` times: after network
    errors, 429, 500, 502, 503 and 504, waiting as long as `Retry-After` says, up to `longest_wait` seconds.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        timeout: float = 10.0,
        attempts: int = 4,
        longest_wait: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        api_key = api_key or os.environ.get("TAXIMETER_API_KEY")
        if not api_key:
            raise ValueError("an API key is needed: give api_key, or set TAXIMETER_API_KEY")
        self._connection = Connection(
            url,
            api_key,
            timeout=timeout,
            attempts=attempts,
            longest_wait=longest_wait,
            ssl_context=ssl_context,
        )
        self.customers = Customers(self._connection)
        self.subscriptions = Subscriptions(self._connection)
        self.invoices = Invoices(self._connection)
        self.plans = Plans(self._connection)
        self.meters = Meters(self._connection)
        self.events = Events(self._connection)
        self.billing_runs = BillingRuns(self._connection)

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
        if isinstance(group_by, str):
            raise TypeError('group_by is a list of names: ["agent"]')
        parameters = {
            **(where or {}),
            "from": start,
            "to": end,
            "window": window,
            "timezone": timezone,
            "customer": customer,
            "group_by": ",".join(group_by) or None,
        }
        answer = self._connection.get(endpoints.USAGE.path_of(meter=meter), written(parameters))
        return decode(Usage, answer)

    def close(self) -> None:
        """Closes the connections that are kept open."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
