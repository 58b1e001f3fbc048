"""What the fake Stripe has: customers, cards, payments, refunds, disputes, meter events, and the events of them."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from typing import Any

#: What a payment method does when it is charged, by the name it is made with.
GOOD, DECLINED, POOR, ASKS, SLOW = "visa", "generic_decline", "insufficient_funds", "authentication_required", "debit"


class ApiError(Exception):
    """An answer that is no success; `is_kept`: whether an idempotency key remembers it."""

    def __init__(self, status: int, kind: str, code: str, message: str, *, is_kept: bool = True, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.is_kept = status, is_kept
        self.body = {"error": {"type": kind, "code": code, "message": message, **extra}}


def missing(what: str, pk: str) -> ApiError:
    return ApiError(404, "invalid_request_error", "resource_missing", f"No such {what}: '{pk}'", is_kept=False)


class State:
    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def make(self, table: str, prefix: str, **fields: Any) -> dict[str, Any]:
        pk = f"{prefix}_{next(self._numbers):06d}"
        row = {"id": pk, "object": table, "created": int(time.time()), "livemode": False, **fields}
        self.tables[table][pk] = row
        return row

    def get(self, table: str, pk: str) -> dict[str, Any]:
        try:
            return self.tables[table][pk]
        except KeyError:
            raise missing(table, pk) from None

    def tell(self, kind: str, found: dict[str, Any], before: dict[str, Any] | None = None) -> None:
        data = {"object": {name: value for name, value in found.items() if not name.startswith("_")}}
        data |= {"previous_attributes": before} if before else {}
        pk = f"evt_{next(self._numbers):06d}"
        event = {
            "id": pk,
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": data,
            "livemode": False,
        }
        self.tables["event"][pk] = event
        self.events.append(event)

    # --- what clients ask for

    def create_customer(self, form: dict[str, Any]) -> dict[str, Any]:
        fields = {"name": form.get("name"), "email": form.get("email"), "metadata": form.get("metadata", {})}
        return self.make("customer", "cus", **fields, invoice_settings={"default_payment_method": None})

    def create_intent(self, form: dict[str, Any]) -> dict[str, Any]:
        amount, currency = int(form["amount"]), form["currency"]
        if amount < 1:
            raise ApiError(400, "invalid_request_error", "parameter_invalid_integer", "Amount", is_kept=False)
        customer = self.get("customer", form["customer"])
        if customer.get("deleted"):
            raise missing("customer", customer["id"])
        method = self.get("payment_method", form["payment_method"])
        if method["customer"] != customer["id"]:
            raise ApiError(400, "invalid_request_error", "payment_method_unexpected_state", "Not its", is_kept=False)
        intent = self.make(
            "payment_intent",
            "pi",
            amount=amount,
            amount_received=0,
            currency=currency,
            customer=customer["id"],
            payment_method=method["id"],
            metadata=form.get("metadata", {}),
            status="processing",
            latest_charge=None,
            last_payment_error=None,
        )
        doing = method["_declines"].pop(0) if method["_declines"] else method["_does"]
        if doing == GOOD:
            self.succeed(intent)
        elif doing != SLOW:
            self.refuse(intent, doing)
            raise ApiError(
                402, "card_error", "card_declined", "Your card was declined.", decline_code=doing, payment_intent=intent
            )
        return intent

    def succeed(self, intent: dict[str, Any]) -> None:
        charge = self.make("charge", "ch", payment_intent=intent["id"], amount=intent["amount"], amount_refunded=0)
        intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"])
        self.tell("payment_intent.succeeded", intent)

    def refuse(self, intent: dict[str, Any], code: str) -> None:
        error = {"code": "card_declined", "decline_code": code, "message": "Your card was declined."}
        intent.update(status="requires_payment_method", last_payment_error=error)
        self.tell("payment_intent.payment_failed", intent)

    def create_refund(self, form: dict[str, Any]) -> dict[str, Any]:
        intent = self.get("payment_intent", form["payment_intent"])
        charge = self.get("charge", intent["latest_charge"])
        left = charge["amount"] - charge["amount_refunded"] - self._disputed(charge["id"])
        amount = int(form.get("amount", left))
        if amount > left or amount < 1:
            code = "charge_already_refunded" if not left else "amount_too_large"
            raise ApiError(400, "invalid_request_error", code, f"{left} is left", is_kept=False)
        charge["amount_refunded"] += amount
        fields = {"payment_intent": intent["id"], "charge": charge["id"], "amount": amount}
        metadata = {"metadata": form.get("metadata", {}), "currency": intent["currency"]}
        refund = self.make("refund", "re", status="succeeded", **fields, **metadata)
        self.tell("refund.created", refund)
        self.tell("charge.refunded", charge)
        return refund

    def create_meter_event(self, form: dict[str, Any]) -> dict[str, Any]:
        if form["identifier"] in self.tables["meter_event"]:
            message = f"An event already exists with identifier {form['identifier']}"
            raise ApiError(400, "invalid_request_error", "duplicate_meter_event", message, is_kept=False)
        if int(form["timestamp"]) < time.time() - 35 * 86400:
            raise ApiError(400, "invalid_request_error", "timestamp_too_far_in_past", "Too old", is_kept=False)
        row = {"object": "billing.meter_event", "livemode": False, "created": int(time.time()), **form}
        row["timestamp"] = int(form["timestamp"])
        self.tables["meter_event"][form["identifier"]] = row
        return row

    def event_summaries(self, meter: str, form: dict[str, Any]) -> dict[str, Any]:
        name, start, end = (
            self.get("billing.meter", meter)["event_name"],
            int(form["start_time"]),
            int(form["end_time"]),
        )
        if start % 60 or end % 60:
            raise ApiError(400, "invalid_request_error", "parameter_invalid_integer", "Whole minutes", is_kept=False)
        counted = [
            float(one["payload"]["value"])
            for one in self.tables["meter_event"].values()
            if one["event_name"] == name
            and one["payload"]["stripe_customer_id"] == form["customer"]
            and start <= one["timestamp"] < end
        ]
        row = {"id": f"mes_{meter}", "object": "billing.meter_event_summary", "meter": meter, "livemode": False}
        row |= {"start_time": start, "end_time": end, "aggregated_value": sum(counted)}
        return {"object": "list", "url": "", "has_more": False, "data": [row] if counted else []}

    def create_session(self, form: dict[str, Any]) -> dict[str, Any]:
        session = self.make(
            "checkout.session", "cs", customer=form["customer"], mode=form["mode"], status="open", _form=form
        )
        session["url"] = f"https://checkout.stripe.com/c/pay/{session['id']}"
        return session

    # --- what people do there

    def add_meter(self, event_name: str) -> dict[str, Any]:
        return self.make("billing.meter", "mtr", event_name=event_name, status="active", display_name=event_name)

    def pay_page(self, session: str, does: str = GOOD) -> dict[str, Any]:
        """Somebody pays on a hosted page, with a new card; only an open page can be paid on, once."""
        found = self.get("checkout.session", session)
        assert found["status"] == "open", "this page is used up"
        asked = found["_form"]
        lines = asked["line_items"].values()
        units = sum(int(one["quantity"]) * int(one["price_data"]["unit_amount"]) for one in lines)
        method = self.attach(found["customer"], does)
        intent = self.create_intent(
            {
                "amount": units,
                "currency": next(iter(lines))["price_data"]["currency"],
                "customer": found["customer"],
                "payment_method": method["id"],
                "metadata": asked["payment_intent_data"]["metadata"],
            }
        )
        found["status"] = "complete"
        return intent

    def fill_in_page(self, session: str, does: str = GOOD) -> dict[str, Any]:
        """Somebody gives a card on a page that asks for one."""
        found = self.get("checkout.session", session)
        found["status"] = "complete"
        return self.attach(found["customer"], does)

    def settle(self, intent: str, refused: str = "") -> None:
        """A bank debit that was under way comes to its end."""
        found = self.get("payment_intent", intent)
        if refused:
            self.refuse(found, refused)
        else:
            self.succeed(found)

    def attach(self, customer: str, does: str = GOOD, *, declines: list[str] | None = None) -> dict[str, Any]:
        card = {"brand": "visa", "last4": "4242"}
        method = self.make(
            "payment_method", "pm", customer=customer, type="card", card=card, _does=does, _declines=declines or []
        )
        self.tell("payment_method.attached", method)
        return method

    def detach(self, pk: str) -> None:
        method = self.get("payment_method", pk)
        before, method["customer"] = {"customer": method["customer"]}, None
        self.tell("payment_method.detached", method, before)

    def delete_customer(self, pk: str) -> None:
        customer = self.get("customer", pk)
        customer["deleted"] = True
        self.tell("customer.deleted", customer)

    def fail_refund(self, pk: str) -> None:
        refund = self.get("refund", pk)
        refund.update(status="failed", failure_reason="expired_or_canceled_card")
        self.get("charge", refund["charge"])["amount_refunded"] -= refund["amount"]
        self.tell("refund.failed", refund)

    def dispute(self, intent: str, amount: int | None = None) -> dict[str, Any]:
        found = self.get("payment_intent", intent)
        fields = {"payment_intent": intent, "charge": found["latest_charge"], "currency": found["currency"]}
        made = self.make(
            "dispute", "dp", amount=amount or found["amount"], reason="fraudulent", status="needs_response", **fields
        )
        self.tell("charge.dispute.created", made)
        return made

    def refund_some(self, intent: str, units: int) -> None:
        """Somebody gives back up to so much in the dashboard."""
        if left := min(units, self.left(intent)):
            self.create_refund({"payment_intent": intent, "amount": str(left)})

    def dispute_what_is_left(self, intent: str) -> None:
        if left := self.left(intent):
            self.dispute(intent, left)

    def left(self, intent: str) -> int:
        """What of a payment can still go back."""
        charge = self.get("charge", self.get("payment_intent", intent)["latest_charge"])
        return int(charge["amount"] - charge["amount_refunded"] - self._disputed(charge["id"]))

    def close_dispute(self, pk: str, status: str) -> None:
        found = self.get("dispute", pk)
        found["status"] = status
        self.tell("charge.dispute.closed", found)

    def _disputed(self, charge: str) -> int:
        """A dispute that is won frees what it held."""
        held = [one for one in self.tables["dispute"].values() if one["status"] != "won"]
        return sum(one["amount"] for one in held if one["charge"] == charge)

    # --- what tests look at

    def payments(self, invoice: str) -> list[dict[str, Any]]:
        return self._intents(invoice)

    def open_disputes(self, invoice: str) -> list[dict[str, Any]]:
        intents = {one["id"] for one in self._intents(invoice)}
        found = [one for one in self.tables["dispute"].values() if one["payment_intent"] in intents]
        return [one for one in found if one["status"] == "needs_response"]

    def received(self, invoice: str) -> int:
        """What payments for an invoice brought in all, in minor units."""
        return sum(one["amount_received"] for one in self._intents(invoice))

    def kept(self, invoice: str) -> int:
        """The same, less what was refunded or lost in disputes."""
        charges = {one["latest_charge"] for one in self._intents(invoice)}
        refunds = [one for one in self.tables["refund"].values() if one["status"] not in {"failed", "canceled"}]
        lost = [one for one in self.tables["dispute"].values() if one["status"] == "lost"]
        return self.received(invoice) - sum(one["amount"] for one in [*refunds, *lost] if one["charge"] in charges)

    def _intents(self, invoice: str) -> list[dict[str, Any]]:
        found = self.tables["payment_intent"].values()
        return [one for one in found if one["metadata"].get("taximeter_invoice") == invoice]
