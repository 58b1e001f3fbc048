"""Money that came by the bank: noted by hand or by the API, and matched with invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from billing.facade import Invoice, get_invoice, invoices_of
from collection.facade import bank_transfers_of, get_bank_transfer, match_bank_transfer, record_bank_transfer
from console.access import page
from console.forms import Action, DayField, Done, ExactField, PlainForm, form_page, posted
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from kernel.money import is_currency
from rest.access import Permission

_BOTH = ("GET", "HEAD", "POST")


class TransferForm(PlainForm):
    reference = forms.CharField(max_length=200, help_text="The bank's own, which comes once.")
    amount = ExactField(low=Decimal("0.000001"))
    currency = forms.CharField(max_length=3, help_text="Such as EUR.")
    received_on = DayField(label="Received on")
    text = forms.CharField(
        label="Remittance text",
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="An invoice number in it says what the money is for.",
    )

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].upper()
        if not is_currency(currency):
            raise forms.ValidationError("A currency is an ISO 4217 code, such as EUR")
        return currency


class MatchForm(PlainForm):
    invoice = forms.CharField(max_length=60, label="Invoice", help_text="Its number or id.")


@page()
def bank_transfers(request: Any) -> HttpResponseBase:
    only_unmatched = request.GET.get("unmatched") == "1"
    rows = bank_transfers_of(request.access.organization.pk, is_unmatched=True if only_unmatched else None)
    found = page_of(rows, request.GET.get("cursor"), newest_first=True)
    context = {"transfers": found.rows, "next_cursor": found.next_cursor, "only_unmatched": only_unmatched}
    return render(request, "console/bank_transfers.html", context)


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def note_transfer(request: Any) -> HttpResponseBase:
    def work(fields: dict[str, Any]) -> Done:
        day = fields.pop("received_on")
        made = record_bank_transfer(
            organization_id=request.access.organization.pk,
            received_at=datetime(day.year, day.month, day.day, tzinfo=UTC),
            now=system_clock(),
            actor=request.user.email,
            **fields,
        )
        said = (
            "It pays the invoice named in its text." if made.invoice_id else "It is noted. Say which invoice it is for."
        )
        return Done(reverse("console:bank_transfers"), said)

    return form_page(request, TransferForm(posted(request)), Action("Note a transfer", "Note it", work, (_list(),)))


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def match_transfer(request: Any, transfer: str) -> HttpResponseBase:
    found = get_bank_transfer(organization_id=request.access.organization.pk, transfer=transfer)

    def work(fields: dict[str, Any]) -> Done:
        invoice = _invoice(found.organization_id, fields["invoice"])
        if invoice.currency != found.currency:
            raise InvalidError(f"This invoice is in {invoice.currency}, the transfer in {found.currency}")
        match_bank_transfer(transfer=found, invoice=invoice, now=system_clock(), actor=request.user.email)
        return Done(reverse("console:bank_transfers"), f"The transfer is for {invoice.number}.")

    about = f"{found.unmatched} {found.currency}, {found.reference}: {found.text}"
    action = Action("Which invoice is it for?", "Match", work, (_list(),), about=about)
    return form_page(request, MatchForm(posted(request)), action)


def _invoice(organization_id: int, reference: str) -> Invoice:
    if "\x00" in reference:
        raise NotFoundError("There is no such invoice")
    by_number = invoices_of(organization_id).filter(number=reference).first()
    return by_number or get_invoice(organization_id=organization_id, invoice=reference)


def _list() -> tuple[str, str]:
    return reverse("console:bank_transfers"), "Bank transfers"
