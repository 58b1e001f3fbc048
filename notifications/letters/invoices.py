"""To customers, about their invoices.

`customer` is a name, `invoice` holds `number`, `currency`, `total`, `amount_due` and `due_at`; `payment_url`, where
there is one, is where it can be paid or seen.
"""

from __future__ import annotations

from decimal import Decimal

from notifications.letters.letter import Letter, Writing


def invoice_issued(by: Writing) -> Letter:
    due = by.money(by.need("invoice", "amount_due"), by.need("invoice", "currency"))
    is_due = Decimal(str(by.need("invoice", "amount_due"))) > 0
    asked = f"Please pay {due} by {_due_day(by)}." if is_due else "Nothing is to be paid."
    return Letter(
        subject=f"Invoice {_number(by)} from {by.organization}: {due}",
        heading=f"Your invoice {_number(by)}",
        paragraphs=(f"Hello {by.need('customer')},", f"{by.organization} has issued you a new invoice. {asked}"),
        facts=_facts(by),
        button=_button(by, "Pay this invoice" if is_due else "See this invoice"),
        notes=_attached(by),
    )


def payment_received(by: Writing) -> Letter:
    total = by.money(by.need("invoice", "total"), by.need("invoice", "currency"))
    return Letter(
        subject=f"Payment received for invoice {_number(by)}",
        heading="Thank you for your payment",
        paragraphs=(
            f"Hello {by.need('customer')},",
            f"{by.organization} has received your payment. Invoice {_number(by)} over {total} is paid in full.",
        ),
        facts=_facts(by)[:2],
        button=_button(by, "See this invoice"),
        notes=_attached(by),
    )


def payment_failed(by: Writing) -> Letter:
    due = by.money(by.need("invoice", "amount_due"), by.need("invoice", "currency"))
    said = [f"We could not collect {due} for invoice {_number(by)}."]
    if reason := by.find("reason"):
        said.append(f"The reason given was: {reason}")
    if again := by.find("next_charge_at"):
        said.append(f"We will try again on {by.day(again)}. If your payment details have changed, update them before.")
    else:
        said.append("We will not try again by ourselves: please pay the invoice or update your payment details.")
    return Letter(
        subject=f"Your payment for invoice {_number(by)} did not go through",
        heading="A payment did not go through",
        paragraphs=(f"Hello {by.need('customer')},", *said),
        facts=_facts(by),
        button=_button(by, "Pay this invoice"),
    )


def payment_reminder(by: Writing) -> Letter:
    due = by.money(by.need("invoice", "amount_due"), by.need("invoice", "currency"))
    return Letter(
        subject=f"Reminder: invoice {_number(by)} from {by.organization} is open",
        heading="An invoice is still open",
        paragraphs=(
            f"Hello {by.need('customer')},",
            f"Invoice {_number(by)} was due on {_due_day(by)}, and {due} of it has not been paid yet.",
            "If you have paid in the last days, your payment and this mail have crossed: nothing is left to do.",
        ),
        facts=_facts(by),
        button=_button(by, "Pay this invoice"),
        notes=_attached(by),
    )


def _number(by: Writing) -> str:
    return str(by.need("invoice", "number"))


def _due_day(by: Writing) -> str:
    return by.day(by.need("invoice", "due_at"))


def _facts(by: Writing) -> tuple[tuple[str, str], ...]:
    currency = by.need("invoice", "currency")
    facts = [("Invoice", _number(by)), ("Total", by.money(by.need("invoice", "total"), currency))]
    facts.append(("Amount due", by.money(by.need("invoice", "amount_due"), currency)))
    if due := by.find("invoice", "due_at"):
        facts.append(("Due on", by.day(due)))
    return tuple(facts)


def _button(by: Writing, words: str) -> tuple[str, str] | None:
    address = by.find("payment_url")
    return (words, by.link(str(address))) if address else None


def _attached(by: Writing) -> tuple[str, ...]:
    return ("The invoice is attached as a PDF.",) if by.find("is_attached") else ()
