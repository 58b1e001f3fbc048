"""What may still happen to a finalized invoice: it is paid, refunded, voided, or written off."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Sum

from accounts.facade import record_audit
from billing.announcing import tell
from billing.credits.grants import return_draws
from billing.invoicing.issuing import InvoiceStateConflict
from billing.invoicing.letters import send_receipt
from billing.invoicing.models import InvoiceStatus
from billing.ledger import postings
from billing.ledger.deferrals import taken_back
from billing.ledger.models import TransactionKind
from billing.ledger.posting import Posting, draws_of, post
from billing.ledger.queries import deferrals_of
from billing.models import Invoice, Payment
from billing.rating.pricing.exact import ZERO, add, subtract, total
from billing.watching import watchers
from kernel.errors import ConflictError, InvalidError
from kernel.money import excess_digits

#: Something is owed on it, or was until it was written off.
_OPEN = (InvoiceStatus.FINALIZED, InvoiceStatus.UNCOLLECTIBLE)


class AmountInvalid(InvalidError):
    """The amount is not more than nothing, or has more digits than its currency."""

    code = "amount_invalid"


class PaymentExceedsDue(InvalidError):
    code = "payment_exceeds_due"


class PaidInFuture(InvalidError):
    code = "paid_at_in_future"


class RefundExceedsPayment(InvalidError):
    code = "refund_exceeds_payment"


class InvoicePaid(ConflictError):
    """Money was received for it, so it is corrected by a credit note."""

    code = "invoice_paid"


def pay_invoice(
    *,
    invoice: Invoice,
    now: datetime,
    amount: Decimal | None = None,
    method: str = "manual",
    reference: str = "",
    paid_at: datetime | None = None,
    actor: str = "system",
) -> Invoice:
    """Note that `amount` (all that is due, unless said otherwise) was paid, at `paid_at` or now.

    The invoice is `paid` once nothing is due. Paying a paid one again without an amount changes nothing. One that was
    written off may still be paid. Raises `PaymentExceedsDue`, `AmountInvalid`, `PaidInFuture`, `InvoiceStateConflict`.
    """
    with transaction.atomic():
        locked = lock_invoice(invoice)
        if locked.status == InvoiceStatus.PAID and amount is None:
            return locked
        if locked.status not in (*_OPEN, InvoiceStatus.PAID):
            raise InvoiceStateConflict(f"An invoice that is {locked.status} cannot be paid")
        if (received := paid_at or now) > now:
            raise PaidInFuture("A payment is noted once it was made")
        due = locked.amount_due
        if due < 0:
            raise InvoiceStateConflict("Nothing is due: this invoice is in the customer's favour")
        given = due if amount is None else checked_amount(amount, locked.currency)
        if given > due:
            raise PaymentExceedsDue(f"{due} {locked.currency} is due")
        if given:
            payment = _store_payment(locked, given, method=method, reference=reference, at=received)
            post_payment(payment, invoice=locked)
            tell("payment.recorded", [payment], at=now)
            if given == due:
                send_receipt(invoice=locked, at=received)
        settle(locked, due=subtract(due, given), at=received)
        _audit(locked, actor, "invoice.pay", amount=str(given), method=method)
    return locked


def refund_payment(
    *, payment: Payment, now: datetime, amount: Decimal | None = None, reference: str = "", actor: str = "system"
) -> Payment:
    """Give back `amount` of a payment (all that is left of it, unless said otherwise): it is due again.

    To give money back that is not owed any more, issue a credit note. Refunding again what is given back already,
    without an amount, answers the last refund. Raises `RefundExceedsPayment`, `AmountInvalid`.
    """
    with transaction.atomic():
        invoice = lock_invoice(payment.invoice)
        refunds = list(payment.refunds.order_by("id"))
        left = min(total(one.amount for one in [payment, *refunds]), paid_for(invoice))
        if amount is None and refunds and left <= 0:
            return refunds[-1]
        given = left if amount is None else checked_amount(amount, invoice.currency)
        if payment.amount <= 0 or not 0 < given <= left:
            raise RefundExceedsPayment(f"{max(left, ZERO)} {invoice.currency} of this payment can be given back")
        refund = _store_payment(invoice, -given, method=payment.method, reference=reference, at=now, refund_of=payment)
        post_payment(refund, invoice=invoice)
        tell("payment.refunded", [refund], at=now)
        settle(invoice, due=add(invoice.amount_due, given), at=now)
        for watcher in watchers():
            watcher.money_given_back(payment=refund, at=now)
        _audit(invoice, actor, "payment.refund", payment=payment.pk, amount=str(given))
    return refund


def void_invoice(*, invoice: Invoice, now: datetime, actor: str = "system") -> Invoice:
    """Void an invoice for which nothing was paid. It keeps its number and lines, nothing is due any more, and the
    credits that it drew are given back. Voiding a void one changes nothing.

    Raises `InvoicePaid` where money was received or a credit note issued, and `InvoiceStateConflict`.
    """
    with transaction.atomic():
        locked = lock_invoice(invoice)
        if locked.status == InvoiceStatus.VOID:
            return locked
        if locked.status not in _OPEN:
            raise InvoiceStateConflict(f"An invoice that is {locked.status} cannot become void")
        if paid_for(locked) or locked.credit_notes.exists():
            raise InvoicePaid("An invoice that was paid or credited in part is corrected by a credit note")
        post([_voided(locked, now)])
        return_draws(invoices=[locked], now=now)
        locked.status, locked.amount_due, locked.voided_at = InvoiceStatus.VOID, ZERO, now
        locked.save(update_fields=["status", "amount_due", "voided_at"])
        _tell_settled(locked, now)
        tell("invoice.voided", [locked], at=now)
        _audit(locked, actor, "invoice.void")
    return locked


def _voided(invoice: Invoice, now: datetime) -> Posting:
    today = now.astimezone(ZoneInfo(invoice.customer.timezone)).date()
    so_far = deferrals_of(line.pk for line in invoice.lines.all())
    deferrals = []
    for line, found in so_far.items():
        net = total(one.amount for one in found)
        if back := taken_back(line, net, found, currency=invoice.currency, on=today):
            deferrals.append(back)
    unearned = -total(one.amount for one in deferrals)
    net = subtract(invoice.subtotal, invoice.discount)
    return Posting(
        organization_id=invoice.organization_id,
        kind=TransactionKind.VOID,
        source=f"void:{invoice.pk}",
        occurred_at=now,
        currency=invoice.currency,
        customer_id=invoice.customer_id,
        invoice_id=invoice.pk,
        deferrals=tuple(deferrals),
        entries=postings.invoice_voided(
            total=invoice.total,
            tax=invoice.tax,
            earned=subtract(net, unearned),
            deferred=unearned,
            draws=draws_of([invoice]).get(invoice.pk, postings.Draws()),
            written_off=invoice.amount_due if invoice.status == InvoiceStatus.UNCOLLECTIBLE else ZERO,
        ),
    )


def write_off_invoice(*, invoice: Invoice, now: datetime, actor: str = "system") -> Invoice:
    """Give up on what is due of a finalized invoice. `amount_due` still says what it was, and it may still be paid.

    Writing off one that is uncollectible already changes nothing. Raises `InvoiceStateConflict`.
    """
    with transaction.atomic():
        locked = lock_invoice(invoice)
        if locked.status == InvoiceStatus.UNCOLLECTIBLE:
            return locked
        if locked.status != InvoiceStatus.FINALIZED or locked.amount_due <= 0:
            raise InvoiceStateConflict(f"An invoice that is {locked.status} cannot become uncollectible")
        times = locked.ledgertransaction_set.filter(kind=TransactionKind.WRITE_OFF).count()
        post(
            [
                Posting(
                    organization_id=locked.organization_id,
                    kind=TransactionKind.WRITE_OFF,
                    source=f"write_off:{locked.pk}:{times + 1}",
                    occurred_at=now,
                    currency=locked.currency,
                    customer_id=locked.customer_id,
                    invoice_id=locked.pk,
                    entries=postings.invoice_written_off(due=locked.amount_due),
                )
            ]
        )
        locked.status = InvoiceStatus.UNCOLLECTIBLE
        locked.save(update_fields=["status"])
        _tell_settled(locked, now)
        tell("invoice.written_off", [locked], at=now)
        _audit(locked, actor, "invoice.write_off", amount=str(locked.amount_due))
    return locked


def lock_invoice(invoice: Invoice) -> Invoice:
    """The invoice as it stands, locked to the end of the transaction, so that money moves one by one."""
    return Invoice.objects.select_for_update(of=("self",)).select_related("customer").get(pk=invoice.pk)


def checked_amount(amount: Decimal, currency: str) -> Decimal:
    """An amount that can be paid or credited; `AmountInvalid` otherwise."""
    if amount <= 0:
        raise AmountInvalid("An amount is more than nothing")
    if excess := excess_digits(amount, currency):
        raise AmountInvalid(excess)
    return amount


def paid_for(invoice: Invoice) -> Decimal:
    """The money received for an invoice, less what was given back."""
    return invoice.payments.aggregate(paid=Sum("amount"))["paid"] or ZERO


def settle(invoice: Invoice, *, due: Decimal, at: datetime) -> None:
    """Store what is due of a locked invoice, and whether that makes it paid, or open again."""
    invoice.amount_due, before = due, invoice.status
    if due == 0 and invoice.status != InvoiceStatus.PAID:
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, at
    elif due and invoice.status == InvoiceStatus.PAID:
        invoice.status, invoice.paid_at = InvoiceStatus.FINALIZED, None
    invoice.save(update_fields=["amount_due", "status", "paid_at"])
    if invoice.status != before:
        tell("invoice.paid" if invoice.status == InvoiceStatus.PAID else "invoice.reopened", [invoice], at=at)
    _tell_settled(invoice, at)


def _tell_settled(invoice: Invoice, at: datetime) -> None:
    for watcher in watchers():
        watcher.invoice_settled(invoice=invoice, at=at)


def post_payment(payment: Payment, *, invoice: Invoice, credit_note_id: str | None = None) -> None:
    """Book money that came in or went back, before the state of its invoice changes."""
    written_off = invoice.status == InvoiceStatus.UNCOLLECTIBLE
    if payment.amount > 0:
        kind, entries = (
            TransactionKind.PAYMENT,
            postings.payment_received(amount=payment.amount, written_off=written_off),
        )
    else:
        kind, entries = (
            TransactionKind.REFUND,
            postings.payment_refunded(amount=-payment.amount, written_off=written_off and credit_note_id is None),
        )
    post(
        [
            Posting(
                organization_id=invoice.organization_id,
                kind=kind,
                source=f"payment:{payment.pk}",
                occurred_at=payment.paid_at,
                currency=payment.currency,
                customer_id=invoice.customer_id,
                entries=entries,
                invoice_id=invoice.pk,
                payment_id=payment.pk,
                credit_note_id=credit_note_id,
            )
        ]
    )


def _store_payment(
    invoice: Invoice, amount: Decimal, *, method: str, reference: str, at: datetime, refund_of: Payment | None = None
) -> Payment:
    return Payment.objects.create(
        organization_id=invoice.organization_id,
        invoice=invoice,
        amount=amount,
        currency=invoice.currency,
        method=method,
        reference=reference,
        refund_of=refund_of,
        paid_at=at,
    )


def _audit(invoice: Invoice, actor: str, action: str, **detail: str) -> None:
    record_audit(
        organization_id=invoice.organization_id,
        actor=actor,
        action=action,
        target=invoice.pk,
        about=invoice.customer_id,
        number=invoice.number,
        **detail,
    )
