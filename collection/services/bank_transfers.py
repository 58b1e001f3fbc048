"""The manual provider's money: transfers that people or their bank's exports tell of."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.facade import record_audit
from billing.facade import Invoice, invoices_of, lock_invoice, pay_invoice, payments_of
from collection.domain.remittance import numbers_in
from collection.models import BankTransfer
from collection.services.times import time_of
from kernel.errors import ConflictError, InvalidError
from kernel.money import excess_digits

_OPEN = ("finalized", "uncollectible")


class TransferConflict(ConflictError):
    """A transfer with this reference is noted already, and says something else."""

    code = "bank_transfer_conflict"


class TransferMatched(ConflictError):
    code = "bank_transfer_matched"


def record_bank_transfer(
    *,
    organization_id: int,
    reference: str,
    amount: Decimal,
    currency: str,
    received_at: datetime,
    now: datetime,
    text: str = "",
    invoice: Invoice | None = None,
    actor: str = "system",
) -> BankTransfer:
    """Note money that came in, once for each `reference` of the bank's. It pays `invoice`, or the open one whose number
    stands in `text`; what no invoice could take is `unmatched`.

    Raises `TransferConflict`, and `InvalidError` (code `amount_invalid`) for more digits than the currency has.
    """
    if excess := excess_digits(amount, currency):
        raise InvalidError(excess, code="amount_invalid")
    fields = {"text": text, "amount": amount, "currency": currency, "received_at": received_at}
    with transaction.atomic():
        made, is_new = BankTransfer.objects.get_or_create(
            organization_id=organization_id, reference=reference, defaults=fields | {"unmatched": amount}
        )
        if not is_new:
            if any(getattr(made, name) != value for name, value in fields.items()):
                raise TransferConflict(f"A transfer {reference!r} is noted, with another content")
            return made
        record_audit(
            organization_id=organization_id,
            actor=actor,
            action="bank_transfer.record",
            target=reference,
            amount=amount,
            currency=currency,
        )
        chosen = invoice or _named(organization_id, text, currency)
        if chosen is not None:
            _apply(made, chosen, now, actor)
    return made


def match_bank_transfer(*, transfer: BankTransfer, invoice: Invoice, now: datetime, actor: str) -> BankTransfer:
    """Say which invoice an unmatched transfer is for. Raises `TransferMatched`."""
    with transaction.atomic():
        locked = BankTransfer.objects.select_for_update(of=("self",)).get(pk=transfer.pk)
        if locked.invoice_id:
            raise TransferMatched("This transfer has an invoice")
        record_audit(
            organization_id=locked.organization_id,
            actor=actor,
            action="bank_transfer.match",
            target=locked.reference,
            invoice=invoice.number,
        )
        _apply(locked, invoice, now, actor)
    return locked


def _named(organization_id: int, text: str, currency: str) -> Invoice | None:
    """The one open invoice whose number the text has; None for none, and for several."""
    rows = invoices_of(organization_id).filter(status__in=_OPEN, currency=currency, amount_due__gt=0)
    numbers = numbers_in(text, [number for number in rows.values_list("number", flat=True) if number]) if text else []
    return rows.get(number=numbers[0]) if len(numbers) == 1 else None


def _apply(transfer: BankTransfer, invoice: Invoice, now: datetime, actor: str) -> None:
    locked = lock_invoice(invoice)
    transfer.invoice = locked
    given = min(transfer.unmatched, max(locked.amount_due, Decimal(0)))
    if locked.status in _OPEN and locked.currency == transfer.currency and given > 0:
        at = time_of(locked.customer, now)
        pay_invoice(
            invoice=locked,
            now=at,
            amount=given,
            method="bank_transfer",
            reference=transfer.reference,
            paid_at=min(transfer.received_at, at),
            actor=actor,
        )
        noted = payments_of(locked.organization_id, invoice_id=locked.pk).filter(reference=transfer.reference)
        transfer.payment, transfer.unmatched = noted.last(), transfer.unmatched - given
    transfer.save()
