"""What may be done with an invoice: each a page with a form that says what it does before it is done."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts.facade import record_audit
from billing.contracts import preview_credit_note
from billing.facade import (
    Invoice,
    clock_of,
    finalize_invoice,
    get_invoice,
    get_payment,
    issue_credit_note,
    pay_invoice,
    refresh_draft,
    refund_payment,
    void_invoice,
    write_off_invoice,
)
from console import formats
from console.access import page
from console.forms import Action, DayField, Done, ExactField, PlainForm, form_page, posted, start_of
from kernel.errors import NotFoundError
from rest.access import Permission

_FORM = ("GET", "HEAD", "POST")


def _found(request: Any, reference: str) -> Invoice:
    return get_invoice(organization_id=request.access.organization.pk, invoice=reference)


def _crumbs(found: Invoice) -> tuple[tuple[str, str], ...]:
    return (
        (reverse("console:invoices"), "Invoices"),
        (reverse("console:invoice", args=[found.pk]), found.number or "Draft invoice"),
    )


def _done(found: Invoice, said: str) -> Done:
    return Done(reverse("console:invoice", args=[found.pk]), said)


def _now(found: Invoice) -> datetime:
    return clock_of(found.customer)()


class Confirmation(PlainForm):
    """Nothing to fill in."""


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def finalize(request: Any, invoice: str) -> HttpResponseBase:
    found = _found(request, invoice)

    def work(_: dict[str, Any]) -> Done:
        changed = finalize_invoice(invoice=found, now=_now(found), actor=request.user.email)
        return _done(changed, f"{changed.number or 'The draft'} is final.")

    if request.method == "POST" and found.status != "draft" and found.finalized_at:
        # Sent twice: what was asked for is so.
        messages.info(request, f"{found.number or 'The draft'} is final already.")
        return redirect("console:invoice", found.pk)
    return form_page(
        request,
        Confirmation(posted(request)),
        Action(
            title="Finalize this draft",
            submit="Finalize",
            crumbs=_crumbs(found),
            about="The draft is priced anew by all that is known now, gets the next number, is booked in the ledger, "
            "and never changes again. What turns out wrong later is corrected by a credit note.",
            work=work,
            once=False,  # one transaction of its own, which sees one snapshot throughout
        ),
    )


@page(may=Permission.MOVE_MONEY, methods=("POST",))
def refresh(request: Any, invoice: str) -> HttpResponseBase:
    found = _found(request, invoice)
    refresh_draft(invoice=found, now=_now(found))
    record_audit(organization_id=found.organization_id, action="invoice.refresh", target=found.pk)
    messages.success(request, "The draft is priced anew.")
    return redirect("console:invoice", found.pk)


class PaymentForm(PlainForm):
    amount = ExactField(required=False)
    paid_on = DayField(required=False, label="Received on", help_text="Left empty: today.")
    method = forms.CharField(max_length=40, initial="bank transfer", required=False, label="Method")
    reference = forms.CharField(
        max_length=200, required=False, help_text="What tells it apart on your bank statement, such as its number."
    )


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def pay(request: Any, invoice: str) -> HttpResponseBase:
    found = _found(request, invoice)
    due = formats.money(found.amount_due, found.currency)
    form = PaymentForm(posted(request))
    form.fields["amount"].label = f"Amount in {found.currency}"
    form.fields["amount"].help_text = f"Left empty: all that is due, {due}."

    def work(given: dict[str, Any]) -> Done:
        now = _now(found)
        changed = pay_invoice(
            invoice=found,
            now=now,
            amount=given["amount"],
            method=given["method"] or "manual",
            reference=given["reference"],
            paid_at=_received_at(found, given["paid_on"]),
            actor=request.user.email,
        )
        if changed.status == "paid":
            return _done(changed, f"{changed.number} is marked as paid.")
        left = formats.money(changed.amount_due, changed.currency)
        return _done(changed, f"The payment is noted. {left} of {changed.number} is still due.")

    action = Action(
        title=f"Note a payment of {found.number or 'this draft'}",
        submit="Note the payment",
        crumbs=_crumbs(found),
        about=f"{due} is due. Part of it may be noted as well; the rest stays due.",
        work=work,
    )
    return form_page(request, form, action)


def _received_at(found: Invoice, day: date | None) -> datetime | None:
    """The first instant of a day, as the customer's zone has it; None, which is now, where no day is said."""
    return None if day is None else start_of(day, found.customer.timezone)


class RefundForm(PlainForm):
    amount = ExactField(required=False)
    reference = forms.CharField(max_length=200, required=False)


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def refund(request: Any, invoice: str, payment: str) -> HttpResponseBase:
    found = _found(request, invoice)
    paid = get_payment(organization_id=found.organization_id, payment=payment)
    if paid.invoice_id != found.pk:
        raise NotFoundError("There is no such payment of this invoice", code="payment_not_found")
    form = RefundForm(posted(request))
    form.fields["amount"].label = f"Amount in {found.currency}"
    form.fields["amount"].help_text = "Left empty: all that is left of the payment."

    def work(given: dict[str, Any]) -> Done:
        back = refund_payment(
            payment=paid,
            now=_now(found),
            amount=given["amount"],
            reference=given["reference"],
            actor=request.user.email,
        )
        return _done(found, f"{formats.money(-back.amount, back.currency)} is noted as given back; it is due again.")

    amount = formats.money(paid.amount, paid.currency)
    action = Action(
        title=f"Give back a payment of {found.number}",
        submit="Note the refund",
        crumbs=_crumbs(found),
        about=f"{amount} was paid by {paid.method}. What is given back is due again: use this where a payment bounced "
        "or was made by mistake. To give back money that is not owed, issue a credit note instead.",
        danger=True,
        work=work,
    )
    return form_page(request, form, action)


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def void(request: Any, invoice: str) -> HttpResponseBase:
    found = _found(request, invoice)

    def work(_: dict[str, Any]) -> Done:
        void_invoice(invoice=found, now=_now(found), actor=request.user.email)
        return _done(found, f"{found.number} is void.")

    action = Action(
        title=f"Void {found.number or 'this draft'}",
        submit=f"Void {found.number or 'it'}",
        crumbs=_crumbs(found),
        about="It keeps its number and lines, nothing is due any more, and the credit it drew is given back. This "
        "cannot be undone. An invoice of which anything was paid is corrected by a credit note instead.",
        danger=True,
        work=work,
    )
    return form_page(request, Confirmation(posted(request)), action)


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def write_off(request: Any, invoice: str) -> HttpResponseBase:
    found = _found(request, invoice)

    def work(_: dict[str, Any]) -> Done:
        write_off_invoice(invoice=found, now=_now(found), actor=request.user.email)
        return _done(found, f"{found.number} is written off.")

    due = formats.money(found.amount_due, found.currency)
    action = Action(
        title=f"Write off {found.number or 'this draft'}",
        submit="Write it off",
        crumbs=_crumbs(found),
        about=f"{due} is given up on and booked as bad debt. The invoice is uncollectible from then on; should the "
        "money come after all, it can still be noted as paid.",
        danger=True,
        work=work,
    )
    return form_page(request, Confirmation(posted(request)), action)


class CreditNoteForm(PlainForm):
    """`line-<id>` is how much of a line is taken back; all empty with `whole` takes back what is left of it all."""

    what = forms.ChoiceField(
        choices=[("whole", "All that is left of the invoice"), ("lines", "The amounts below")],
        widget=forms.RadioSelect,
        initial="whole",
        label="What is taken back",
    )
    kind = forms.ChoiceField(
        choices=[
            ("correction", "Correction: what was billed was wrong"),
            ("goodwill", "Goodwill: what was billed was right"),
        ],
        initial="correction",
        required=False,
        label="Kind",
        help_text="What a correction gives back is not given back again when its usage is voided or its seats change.",
    )
    refund = forms.ChoiceField(
        choices=[
            ("credit_balance", "becomes the customer's credit"),
            ("refund", "is paid back, as far as it was paid with money"),
            ("none", "is refused: take back no more than is due"),
        ],
        initial="credit_balance",
        label="What was paid already",
    )
    reason = forms.CharField(max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, invoice: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = list(invoice.lines.all())
        for line in self.lines:
            field = ExactField(required=False, label=f"Take back of {line.description}")
            field.widget.attrs["aria-label"] = field.label
            self.fields[f"line-{line.pk}"] = field

    def line_rows(self) -> list[tuple[Any, Any]]:
        return [(line, self[f"line-{line.pk}"]) for line in self.lines]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {line.pk: cleaned.get(f"line-{line.pk}") for line in self.lines}
        amounts: dict[str, Decimal] = {key: amount for key, amount in given.items() if amount is not None}
        if cleaned.get("what") == "lines" and not amounts and not self.errors:
            self.add_error(None, "Say how much of which line is taken back")
        cleaned["kind"] = cleaned.get("kind") or "correction"
        cleaned["amounts"] = amounts if cleaned.get("what") == "lines" else None
        return cleaned


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def credit_note(request: Any, invoice: str) -> HttpResponseBase:
    found = _found(request, invoice)
    form = CreditNoteForm(posted(request), invoice=found)

    def work(given: dict[str, Any]) -> Done:
        note = issue_credit_note(
            invoice=found,
            now=_now(found),
            lines=given["amounts"],
            reason=given["reason"],
            kind=given["kind"],
            refund=given["refund"],
            actor=request.user.email,
        )
        return _done(found, f"Credit note {note.number} over {formats.money(note.total, note.currency)} is issued.")

    def preview(given: dict[str, Any]) -> dict[str, Any]:
        note = preview_credit_note(
            invoice=found,
            now=_now(found),
            lines=given["amounts"],
            kind=given["kind"],
            refund=given["refund"],
        )
        return {"note": note}

    action = Action(
        title=f"Credit note for {found.number or 'this draft'}",
        submit="Issue the credit note",
        crumbs=_crumbs(found),
        about="A credit note takes back part or all of a finalized invoice, with the tax on it. First less is due; "
        "what was paid already goes where you say. The invoice itself stays as it is.",
        work=work,
        preview=preview,
        template="console/credit_note_form.html",
    )
    context = {"invoice": found, "preview_template": "console/_credit_note_effect.html"}
    return form_page(request, form, action, context)
