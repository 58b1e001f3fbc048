"""What billing tells of, in its own transactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.facade import Invoice, Payment, TestClock


class Watcher:
    """Opens and closes collecting with what happens to invoices, and writes down what goes back by a provider."""

    def invoices_finalized(self, *, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None:
        pass

    def invoice_settled(self, *, invoice: Invoice, at: datetime) -> None:
        pass

    def money_given_back(self, *, payment: Payment, at: datetime) -> None:
        pass

    def clock_moved(self, *, test_clock: TestClock, to: datetime) -> None:
        pass
