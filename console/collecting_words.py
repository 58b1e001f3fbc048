"""What states of collecting and differences mean, and what to do about them, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """What a kind of difference says, and what a person does about it."""

    says: str
    do: str


#: docs/payments.md has the same table.
DIFFERENCES = {
    "payment_missing_here": Advice(
        "Stripe took money for an invoice, and our books do not have it.",
        "Send the event again from Stripe's dashboard, or wait for tonight: events that were missed are fetched then.",
    ),
    "payment_missing_there": Advice(
        "Our books have a payment that Stripe does not have.",
        "See whether the key belongs to the account that took it; test and live mode know nothing of each other.",
    ),
    "payment_differs": Advice(
        "Both have the payment, with different amounts.", "Look at it in Stripe's dashboard before anything is changed."
    ),
    "refund_missing_here": Advice(
        "Stripe gave money back, and our books do not say so.",
        "Send the event again from Stripe's dashboard, or wait for tonight: events that were missed are fetched then.",
    ),
    "refund_missing_there": Advice(
        "Our books have a refund that Stripe does not have.",
        "See whether the key belongs to the account it was made by.",
    ),
    "refund_differs": Advice("Both have the refund, and it stands differently.", "Send its last event again."),
    "refund_not_made": Advice(
        "A refund is owed, and the provider refused it.",
        "Repeat it under Payments, or send the money another way and say so to the customer.",
    ),
    "dispute_missing_here": Advice(
        "A payment is disputed at Stripe, and our books do not say so.", "Send the event again from Stripe's dashboard."
    ),
    "dispute_missing_there": Advice(
        "Our books have a dispute that Stripe does not have.",
        "See whether the key belongs to the account it came from.",
    ),
    "dispute_differs": Advice("The dispute stands differently.", "Send its last event again."),
    "balance_differs": Advice(
        "Payments of this invoice noted as Stripe's are not what Stripe has kept for it.",
        "See whether a payment was noted by hand with the method stripe, or given back beyond what was paid.",
    ),
    "outcome_unknown": Advice(
        "A call was sent, and nobody knows what became of it.",
        "Look it up under Payments: Stripe is asked first, and it is made again only if it never arrived. Of usage, "
        "look at the meter at Stripe before: Stripe cannot be asked for a single event.",
    ),
    "call_unanswered": Advice(
        "A call has waited for its answer for more than a day.",
        "See what it was answered last under Payments; a key that is refused has to be given anew.",
    ),
    "usage_differs": Advice(
        "A meter at Stripe has not counted what was pushed to it.",
        "Look at the meter's events in Stripe's dashboard: other systems may feed it, or events may be invalid there.",
    ),
    "usage_not_counted": Advice("Stripe refused usage that was pushed.", "Put the cause right, then repeat the call."),
    "meter_missing_there": Advice(
        "Stripe has no active meter of this event name.", "Make it at Stripe, or map our meter to another."
    ),
}

#: Kinds and states of calls that a person may go on with.
REPEATABLE = frozenset(
    [
        ("refund", "failed"),
        ("usage", "failed"),
        *((kind, state) for kind in ("charge", "refund", "customer", "usage") for state in ("pending", "unknown")),
    ]
)
