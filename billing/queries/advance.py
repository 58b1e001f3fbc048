"""What was charged for a billing period before it was over: in advance, or by threshold invoices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from django.db.models import Sum

from billing.domain.pricing.exact import share
from billing.models import InvoiceLine, Price
from billing.models.catalogue import Bill as BillTime
from billing.models.invoices import InvoiceKind, InvoiceStatus, LineRole
from billing.queries.bills import Bill
from billing.queries.parts import Settlement
from billing.queries.priced import Billed
from kernel.money import round_to_currency
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
        ).select_related("invoice")
        for line in rows.annotate(credited=Sum("credited_by__amount")).order_by("invoice_id", "position"):
            billed = Billed(line.amount, line.discount, given_back(line, line.credited or Decimal(0)), line.tax_rate)
            period = Period(line.period_start, line.period_end)
            self.note(line.invoice.subscription_id or "", line.price_id or "", period, billed)

    def note(self, subscription: str, price: str, period: Period, billed: Billed) -> None:
        self._charged[subscription, price].append((period, billed))

    def of(self, settlement: Settlement) -> Billed:
        """What was charged for the settlement's period."""
        found = self._charged[settlement.subscription.pk, settlement.price.pk]
        within = [billed for period, billed in found if period.start in settlement.whole]
        return Billed(
            sum((one.amount for one in within), Decimal(0)),
            sum((one.discount for one in within), Decimal(0)),
            sum((one.given_back for one in within), Decimal(0)),
            within[-1].tax_rate if within else None,
        )


def given_back(line: InvoiceLine, credited: Decimal) -> Decimal:
    """What of a line's amount was taken back: all of a void invoice's; what credit notes took, which is net of the
    discount, in proportion."""
    net = line.amount - line.discount
    if line.invoice.status == InvoiceStatus.VOID or (credited and credited >= net):
        return line.amount
    if not credited:
        return Decimal(0)
    return round_to_currency(share(line.amount, Fraction(credited) / Fraction(net)), line.invoice.currency)


@dataclass(frozen=True, slots=True)
class ChargedBefore:
    """What threshold invoices have charged of a price: the days it was for, and the last line that did."""

    price: Price
    period: Period
    billed: Billed
    tax_rate: Decimal
    line_id: str


class ThresholdCharges:
    """What threshold invoices that are not void have charged of open periods."""

    def __init__(self, bills: Iterable[Bill]) -> None:
        self._lines: dict[str, list[InvoiceLine]] = defaultdict(list)
        rows = InvoiceLine.objects.filter(
            invoice__subscription__in={bill.subscription.pk for bill in bills}, invoice__kind=InvoiceKind.THRESHOLD
        ).exclude(invoice__status=InvoiceStatus.VOID)
        for line in rows.select_related("invoice", "price__plan_version").order_by("invoice_id", "position"):
            self._lines[line.invoice.subscription_id or ""].append(line)

    def of(self, bill: Bill) -> list[ChargedBefore]:
        """What was charged of the bill's period, by price."""
        found: dict[str, ChargedBefore] = {}
        for line in self._lines[bill.subscription.pk]:
            if bill.arrears is None or line.period_start not in bill.arrears or line.price is None:
                continue
            before = found.get(line.price.pk)
            sums = before.billed if before else Billed(Decimal(0))
            # The last one charged all of it anew, and took off what those before it had charged.
            latest = before is None or line.role == LineRole.CHARGE
            found[line.price.pk] = ChargedBefore(
                line.price,
                Period(line.period_start, line.period_end),
                Billed(sums.amount + line.amount, sums.discount + line.discount),
                line.tax_rate if before is None or latest else before.tax_rate,
                line.pk if before is None or latest else before.line_id,
            )
        return [one for one in found.values() if one.billed.amount]
