"""Credit notes: what corrects a finalized invoice, which itself never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Sum

from accounts.facade import record_audit
from billing.announcing import tell
from billing.credits.grants import grant_credit
from billing.credits.models import GrantSource
from billing.invoicing.issuing import InvoiceStateConflict
from billing.invoicing.late_records import adjusted_back
from billing.invoicing.models import InvoiceStatus
from billing.ledger import postings
from billing.ledger.deferrals import taken_back
from billing.ledger.models import TransactionKind
from billing.ledger.posting import Posting, post
from billing.ledger.queries import deferrals_of
from billing.models import CreditNote, CreditNoteLine, Invoice, Payment
from billing.payments.models import CreditNoteKind
from billing.payments.services import checked_amount, lock_invoice, paid_for, post_payment, settle
from billing.rating.crediting import BilledLine, CreditedLine, CreditExceedsLine, credit_lines
from billing.rating.pricing.exact import ZERO, subtract, total
from billing.watching import watchers
from kernel.errors import InvalidError, NotFoundError

#: Where goes what a credit note takes back of what was paid already.
CREDIT_BALANCE, REFUND, NONE = "credit_balance", "refund", "none"

_NEXT_NUMBER = """
INSERT INTO billing_creditnotecounter AS counter (organization_id, last) VALUES (%s, 1)
ON CONFLICT (organization_id) DO UPDATE SET last = counter.last + 1
RETURNING last
"""


class CreditExceedsDue(InvalidError):
    """More than is due is taken back, and the request says that nothing is to be given back."""

    code = "credit_exceeds_due"


@dataclass(frozen=True, slots=True)
class _Split:
    """Where a credit note's total goes: to what is due, to the customer's credit, back to the customer."""

    applied: Decimal
    credited: Decimal
    refunded: Decimal


def credit_note_number(number: int) -> str:
    """How the `number`th credit note of an organization is named."""
    return f"CN-{number:06d}"


def issue_credit_note(
    *,
    invoice: Invoice,
    now: datetime,
    lines: Mapping[str, Decimal] | None = None,
    reason: str = "",
    kind: str = CreditNoteKind.CORRECTION,
    refund: str = CREDIT_BALANCE,
    actor: str = "system",
) -> CreditNote:
    """Take back `lines` (amounts before tax by line id) of an invoice, or all that is left of it.

    A `correction` says that what was billed was wrong: what late usage or a settlement gave back of a line already is
    not left to correct, and what the note gives back counts against later differences of its lines. `goodwill` is given
    besides. First less is due; the rest becomes credit of the customer, or is paid back as far as it was paid with
    money (`refund` is `credit_balance`, `refund` or `none`). Raises `CreditExceedsLine`, `CreditExceedsInvoice`,
    `NothingToCredit`, `CreditExceedsDue`, `AmountInvalid`, `InvoiceStateConflict` and `NotFoundError`
    (`invoice_line_not_found`).
    """
    with transaction.atomic():
        locked = lock_invoice(invoice)
        if locked.status not in (InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE):
            raise InvoiceStateConflict(f"An invoice that is {locked.status} has nothing to take back")
        billed = _billed_lines(locked)
        if kind == CreditNoteKind.CORRECTION:
            lines = _left_to_correct(locked, billed, lines)
        for line, amount in (lines or {}).items():
            if line not in {one.id for one in billed}:
                raise NotFoundError(f"This invoice has no line {line!r}", code="invoice_line_not_found")
            checked_amount(amount, locked.currency)
        credited = credit_lines(billed, lines, currency=locked.currency, tax_rounding=locked.tax_rounding)
        split = _split(locked, total(one.amount + one.tax for one in credited), refund)
        note = _store(locked, credited, split, kind, reason, now)
        post([_posting(note, locked, credited)])
        tell("credit_note.issued", [note], at=now)
        _give_back(note, locked, now)
        settle(locked, due=subtract(locked.amount_due, split.applied), at=now)
        record_audit(
            organization_id=locked.organization_id,
            actor=actor,
            action="credit_note.issue",
            target=note.pk,
            about=locked.customer_id,
            number=note.number,
            kind=note.kind,
            invoice=locked.pk,
            total=str(note.total),
        )
    return note


def _billed_lines(invoice: Invoice) -> list[BilledLine]:
    rows = invoice.lines.annotate(credited=Sum("credited_by__amount"), credited_tax=Sum("credited_by__tax"))
    return [
        BilledLine(
            line.pk,
            subtract(line.amount, line.discount),
            line.tax,
            line.credited or ZERO,
            line.credited_tax or ZERO,
            line.tax_rate,
        )
        for line in rows.order_by("position")
    ]


def _left_to_correct(
    invoice: Invoice, billed: Sequence[BilledLine], asked: Mapping[str, Decimal] | None
) -> Mapping[str, Decimal] | None:
    """Return what a correction takes back of each line, where late usage gave back some of it already. Raises
    `CreditExceedsLine` where more is asked for than is left."""
    adjusted = adjusted_back(invoice)
    if not adjusted:
        return asked
    left = {one.id: max(subtract(one.left, adjusted.get(one.id, ZERO)), ZERO) for one in billed}
    if asked is None:
        return {line: amount for line, amount in left.items() if amount}
    for line, amount in asked.items():
        if line in adjusted and amount > left[line]:
            raise CreditExceedsLine(
                f"Of line {line}, {left[line]} is left to correct: late usage gave back {adjusted[line]}. "
                "Issue it as goodwill to give back more"
            )
    return asked


def _split(invoice: Invoice, amount: Decimal, refund: str) -> _Split:
    applied = min(amount, max(invoice.amount_due, ZERO))
    rest = subtract(amount, applied)
    if rest and refund == NONE:
        raise CreditExceedsDue(f"{invoice.amount_due} {invoice.currency} is due; say where the rest is to go")
    # What was paid with credits goes back to credit: only money is refunded.
    refunded = min(rest, max(paid_for(invoice), ZERO)) if refund == REFUND else ZERO
    return _Split(applied, subtract(rest, refunded), refunded)


def _store(
    invoice: Invoice, credited: Sequence[CreditedLine], split: _Split, kind: str, reason: str, now: datetime
) -> CreditNote:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_NUMBER, [invoice.organization_id])
        number = cursor.fetchone()[0]
    subtotal, tax = total(one.amount for one in credited), total(one.tax for one in credited)
    note = CreditNote.objects.create(
        organization_id=invoice.organization_id,
        invoice=invoice,
        number=credit_note_number(number),
        kind=kind,
        reason=reason,
        currency=invoice.currency,
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
        applied=split.applied,
        credited=split.credited,
        refunded=split.refunded,
        issued_at=now,
    )
    CreditNoteLine.objects.bulk_create(
        CreditNoteLine(credit_note=note, line_id=one.id, amount=one.amount, tax=one.tax) for one in credited
    )
    return note


def _posting(note: CreditNote, invoice: Invoice, credited: Sequence[CreditedLine]) -> Posting:
    today = note.issued_at.astimezone(ZoneInfo(invoice.customer.timezone)).date()
    so_far = deferrals_of(one.id for one in credited)
    deferrals = []
    for one in credited:
        if back := taken_back(one.id, one.amount, so_far.get(one.id, []), currency=note.currency, on=today):
            deferrals.append(back)
    unearned = -total(one.amount for one in deferrals)
    return Posting(
        organization_id=note.organization_id,
        kind=TransactionKind.CREDIT_NOTE,
        source=f"credit_note:{note.pk}",
        occurred_at=note.issued_at,
        currency=note.currency,
        customer_id=invoice.customer_id,
        invoice_id=invoice.pk,
        credit_note_id=note.pk,
        deferrals=tuple(deferrals),
        entries=postings.credit_note_issued(
            earned=subtract(note.subtotal, unearned),
            deferred=unearned,
            tax=note.tax,
            applied=note.applied,
            written_off=invoice.status == InvoiceStatus.UNCOLLECTIBLE,
        ),
    )


def _give_back(note: CreditNote, invoice: Invoice, now: datetime) -> None:
    if note.credited:
        grant_credit(
            customer=invoice.customer,
            name=f"Credit note {note.number}",
            amount=note.credited,
            now=now,
            currency=note.currency,
            source=GrantSource.BALANCE,
            invoice=invoice,
        )
    if note.refunded:
        payment = Payment.objects.create(
            organization_id=note.organization_id,
            invoice=invoice,
            amount=-note.refunded,
            currency=note.currency,
            method="refund",
            reference=note.number,
            paid_at=now,
        )
        post_payment(payment, invoice=invoice, credit_note_id=note.pk)
        tell("payment.refunded", [payment], at=now)
        for watcher in watchers():
            watcher.money_given_back(payment=payment, at=now)
