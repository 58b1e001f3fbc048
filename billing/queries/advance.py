"""What was charged in advance for a billing period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from billing.models import InvoiceLine
from billing.models.catalogue import Bill as BillTime
from billing.models.invoices import LineRole
from billing.queries.bills import Bill
from billing.queries.parts import Settlement
from billing.queries.priced import Billed
from kernel.period import Period


class AdvanceCharges:
    """What invoices (void ones too: what is voided is not charged again) have charged in advance, by subscription
    and price. Bills priced one after the other add theirs with `note`."""

    def __init__(self, bills: Iterable[Bill]) -> None:
        settled = [(bill.subscription.pk, bill.arrears) for bill in bills if bill.arrears is not None]
        self._charged: dict[tuple[str, str], list[tuple[Period, Billed]]] = defaultdict(list)
        rows = InvoiceLine.objects.filter(
            invoice__subscription__in={subscription for subscription, _ in settled},
            price__bill=BillTime.IN_ADVANCE,
            role=LineRole.CHARGE,
            period_start__gte=min((whole.start for _, whole in settled), default=datetime.max.replace(tzinfo=UTC)),
        ).values_list("invoice__subscription_id", "price_id", "period_start", "period_end", "amount", "discount")
        for subscription, price, start, end, amount, discount in rows:
            self.note(subscription, price, Period(start, end), Billed(amount, discount))

    def note(self, subscription: str, price: str, period: Period, billed: Billed) -> None:
        self._charged[subscription, price].append((period, billed))

    def of(self, settlement: Settlement) -> Billed:
        """What was charged for the settlement's period."""
        found = self._charged[settlement.subscription.pk, settlement.price.pk]
        within = [billed for period, billed in found if period.start in settlement.whole]
        return Billed(
            sum((one.amount for one in within), Decimal(0)), sum((one.discount for one in within), Decimal(0))
        )
