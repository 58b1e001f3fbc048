"""What happens that other systems may hear of, and what an event of each type says."""

from __future__ import annotations

#: Sent on request, to one endpoint.
TEST = "webhook.test"

#: Each type, with what its `data` is: the thing as the API shows it. `docs/webhooks.md` has the same table.
EVENT_TYPES = {
    "invoice.created": "an invoice, without its lines: a draft",
    "invoice.finalized": "an invoice, without its lines",
    "invoice.paid": "an invoice, without its lines",
    "invoice.reopened": "an invoice, without its lines: a payment was given back, so it is due again",
    "invoice.overdue": "an invoice in brief",
    "invoice.voided": "an invoice, without its lines",
    "invoice.written_off": "an invoice, without its lines",
    "payment.recorded": "a payment",
    "payment.refunded": "the payment of a negative amount that gives back",
    "payment.failed": "an invoice in brief, with the `code` of the refusal and `next_charge_at`",
    "payment.disputed": "an invoice in brief, with the `dispute`, its `reason`, `status` and `amount`",
    "refund.failed": "an invoice in brief, with the `code` and the `amount` that did not go back",
    "credit_note.issued": "a credit note",
    "customer.created": "a customer",
    "customer.updated": "a customer",
    "customer.anonymized": "a customer: its personal details were removed",
    "customer.erased": "a customer: erased, but for what the law keeps",
    "customer.merged": "a customer, with `merged_into`: the id of the one that its usage counts for",
    "customer.suspended": "a customer's `id`, `key` and `is_suspended`",
    "customer.reinstated": "a customer's `id`, `key` and `is_suspended`",
    "subscription.created": "a subscription",
    "subscription.changed": "a subscription: other seats, plan, prices or add-ons, a later end or none, a trial ended; "
    "`dropped_changes` names changes to come that this one dropped",
    "subscription.paused": "a subscription",
    "subscription.resumed": "a subscription",
    "subscription.cancelled": "a subscription, with its end, also one brought forward",
    "billing_run.completed": "a billing run",
    "budget.threshold_reached": "a crossing of a budget: `budget`, `percent`, `amount`, `used`, `currency` or `meter`",
    "export.completed": "an export",
    "export.failed": "an export, with its `failure`",
}
