"""What a document says, whichever it is: an invoice or a credit note, printed or as an e-invoice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from billing.documents.languages import Language
from billing.documents.parties import Party
from billing.models import SellerProfile

ZERO = Decimal(0)

Days = tuple[date, date]


@dataclass(frozen=True, slots=True)
class IssuedLine:
    """`amount` is before its discount and tax; days count both; `unit_amount` is in money or None."""

    position: int
    description: str
    period: Days
    amount: Decimal
    tax: Decimal
    tax_rate: Decimal
    discount: Decimal = ZERO
    quantity: Decimal = Decimal(1)
    unit: str = ""
    unit_amount: Decimal | None = None
    price_key: str = ""
    #: As they are printed.
    notes: list[str] = field(default_factory=list)
    quantity_text: str = ""
    unit_price_text: str = ""
    parts: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """Everything as it was when the document was issued, but for `status` and `paid_on`."""

    number: str
    #: `draft`, `finalized`, `paid`, `uncollectible`, `void`; of a credit note always `finalized`.
    status: str
    issued_on: date
    #: The only time in the file.
    created_at: datetime
    period: Days
    currency: str
    tax_treatment: str
    language: Language
    profile: SellerProfile
    seller: Party
    buyer: Party
    customer_key: str
    lines: list[IssuedLine]
    due_on: date | None = None
    paid_on: date | None = None
    #: What credit has paid; negative where the invoice adds to the customer's credit.
    prepaid: Decimal = ZERO
    payment_link: str = ""
    #: Of a credit note: the invoice's number and day, why, and where its total goes (a word and an amount each).
    corrects: tuple[str, date] | None = None
    reason: str = ""
    goes_to: tuple[tuple[str, Decimal], ...] = ()

    @property
    def subtotal(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        return sum((line.discount for line in self.lines), ZERO)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        return self.subtotal - self.discount + self.tax

    @property
    def due(self) -> Decimal:
        """What was due when it was issued."""
        return self.total - self.prepaid
