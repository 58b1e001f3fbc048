"""Rooms to the left of billing that act on invoices register here; what they write belongs to the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from billing.models import Invoice, Payment, TestClock


class InvoiceWatcher(Protocol):
    """Told of what happens, within its transaction: it makes no network call, and what it raises undoes all of it."""

    def invoices_finalized(self, *, organization_id: int, invoices: Sequence[Invoice], now: datetime) -> None: ...

    def invoice_settled(self, *, invoice: Invoice, at: datetime) -> None:
        """What is due of an invoice, or its status, has changed. Its row is locked."""

    def money_given_back(self, *, payment: Payment, at: datetime) -> None:
        """A refund (a negative payment) was noted."""

    def clock_moved(self, *, test_clock: TestClock, to: datetime) -> None:
        """A test clock passes `to`; its row still says where it was."""


_registered: list[InvoiceWatcher] = []


def watch_invoices(watcher: InvoiceWatcher) -> None:
    """Called once at start-up by the room that collects invoices."""
    _registered[:] = [watcher]


def watchers() -> Sequence[InvoiceWatcher]:
    return _registered
