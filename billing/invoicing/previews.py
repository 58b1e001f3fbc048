"""What a change would do: it is done, looked at, and undone. Nothing of it stays, and nobody is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.db import transaction

from billing.invoicing.drafts import refresh_draft
from billing.invoicing.priced import PricedInvoice, Unpriceable
from billing.invoicing.queries import upcoming_invoices
from billing.models import CreditNote, Customer, Invoice, InvoiceLine
from billing.payments.credit_notes import CREDIT_BALANCE, issue_credit_note
from billing.payments.models import CreditNoteKind
from rest.isolation import read_one_snapshot

T = TypeVar("T")


def undone(work: Callable[[], T]) -> T:
    """What `work` answers, with all that it wrote taken back; what raises raises."""
    with transaction.atomic():
        read_one_snapshot()
        found = work()
        transaction.set_rollback(True)
    return found


@dataclass(frozen=True, slots=True)
class LineChange:
    """A draft's line as it is and as it would be; None where there is none."""

    before: InvoiceLine | None
    after: InvoiceLine | None

    @property
    def is_change(self) -> bool:
        if self.before is None or self.after is None:
            return True
        return (self.before.quantity, self.before.amount) != (self.after.quantity, self.after.amount)

    @property
    def description(self) -> str:
        found = self.after or self.before
        assert found is not None, "a change is of a line"
        return found.description

    @property
    def difference(self) -> Decimal:
        return (self.after.amount if self.after else Decimal(0)) - (self.before.amount if self.before else Decimal(0))


@dataclass(frozen=True, slots=True)
class DraftReview:
    """What pricing a draft anew would change: its lines in order, and its total before and after."""

    lines: tuple[LineChange, ...]
    before: Decimal
    after: Decimal

    @property
    def changes(self) -> list[LineChange]:
        return [one for one in self.lines if one.is_change]


def review_draft(*, invoice: Invoice, now: datetime) -> DraftReview:
    """What is other about a draft by all that is known `now`. Raises as `refresh_draft`."""
    stored = list(invoice.lines.all())
    before = invoice.total

    def refreshed() -> tuple[list[InvoiceLine], Decimal]:
        anew = refresh_draft(invoice=invoice, now=now)
        return list(InvoiceLine.objects.filter(invoice=anew).select_related("price")), anew.total

    lines, after = undone(refreshed)
    return DraftReview(tuple(_paired(stored, lines)), before, after)


def _paired(stored: Sequence[InvoiceLine], anew: Sequence[InvoiceLine]) -> list[LineChange]:
    old: dict[tuple[object, ...], list[InvoiceLine]] = {}
    for line in stored:
        old.setdefault(_same(line), []).append(line)
    found = []
    for line in anew:
        before = old.get(_same(line))
        found.append(LineChange(before.pop(0) if before else None, line))
    return [*found, *(LineChange(line, None) for left in old.values() for line in left)]


def _same(line: InvoiceLine) -> tuple[object, ...]:
    return (
        line.price_id,
        line.role,
        line.period_start,
        line.adjusts_id,
        line.description if line.price_id is None else "",
    )


def preview_credit_note(
    *,
    invoice: Invoice,
    now: datetime,
    lines: Mapping[str, Decimal] | None = None,
    kind: str = CreditNoteKind.CORRECTION,
    refund: str = CREDIT_BALANCE,
) -> CreditNote:
    """The credit note that `issue_credit_note` would store. Raises what that raises."""

    def issued() -> CreditNote:
        note = issue_credit_note(invoice=invoice, now=now, lines=lines, kind=kind, refund=refund)
        note.would_credit = list(note.lines.select_related("line"))  # type: ignore[attr-defined]
        return note

    return undone(issued)


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """The customer's upcoming invoices as things stand, and as they would be."""

    before: tuple[PricedInvoice | Unpriceable, ...]
    after: tuple[PricedInvoice | Unpriceable, ...]


def preview_change(*, customer: Customer, now: datetime, change: Callable[[], object]) -> ChangePreview:
    """What `change`, a service's call, would do to what the customer is invoiced for the open period. Raises what
    `change` raises."""

    def changed() -> tuple[list[PricedInvoice | Unpriceable], list[PricedInvoice | Unpriceable]]:
        before = upcoming_invoices(customer=customer, now=now)
        change()
        return before, upcoming_invoices(customer=customer, now=now)

    before, after = undone(changed)
    return ChangePreview(tuple(before), tuple(after))
