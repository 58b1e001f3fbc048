"""What has changed since an invoice was issued: late events, and events taken back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.models import Invoice, InvoiceLine
from billing.queries.invoices import line_question
from metering.facade import UsageQuestion, usage_of_version


@dataclass(frozen=True, slots=True)
class LateUsage:
    """A line whose usage is not what it was: `billed` is its quantity, `now` what the log says today."""

    line: InvoiceLine
    billed: Decimal
    now: Decimal

    @property
    def difference(self) -> Decimal:
        return self.now - self.billed


def late_usage(invoice: Invoice) -> list[LateUsage]:
    """The lines of `invoice` whose usage has changed since it was issued, by the meter version they were
    counted with. The invoice stays as it is."""
    found: list[LateUsage] = []
    for line in invoice.lines.filter(meter_version__isnull=False).select_related("price", "meter_version__meter"):
        version, asked = line.meter_version, line_question(invoice=invoice, line=line)
        assert version is not None
        [row] = usage_of_version(
            version,
            UsageQuestion(
                organization_id=invoice.organization_id,
                meter=version.meter.key,
                period=asked.period,
                customers=(asked.customer,),
                where=dict(asked.where),
            ),
        )
        if row.quantity != line.quantity:
            found.append(LateUsage(line, line.quantity, row.quantity))
    return found
