"""Lines in words: what was charged, how much of it at what, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from billing.catalog.models import PriceKind
from billing.documents.issued import IssuedLine
from billing.documents.languages import Language, days_of
from billing.invoicing.models import LineRole
from billing.models import Invoice, InvoiceLine
from kernel.money import EXACT
from metering.facade import Meter

#: Rows of a breakdown that are printed; the rest of a line's groups are summed in one more.
MOST_PARTS = 60
#: Digits after the point of an exact amount that are printed.
_PLACES = Decimal(1).scaleb(-12)
_READABLE, _SMALL = Decimal("0.000001"), Decimal("0.001")
_RATES = frozenset({"percentage", "graduated_percentage"})
_ROLES = (LineRole.SETTLEMENT, LineRole.BILLED_BEFORE, LineRole.ADJUSTMENT)
ZERO = Decimal(0)


def lines_of(invoice: Invoice, language: Language) -> list[IssuedLine]:
    """One query for the meters, however many lines there are."""
    lines = list(invoice.lines.all())
    meters = Meter.objects.in_bulk({line.price.meter_id for line in lines if line.price and line.price.meter_id})
    units = {pk: meter.unit for pk, meter in meters.items()}
    return [_LineWords(line, invoice, language, _unit(line, units, language)).issued() for line in lines]


def _unit(line: InvoiceLine, units: Mapping[str, str], language: Language) -> str:
    if line.kind == PriceKind.SEAT:
        return language.say("seats")
    return units.get(line.price.meter_id or "", "") if line.price else ""


class _LineWords:
    def __init__(self, line: InvoiceLine, invoice: Invoice, language: Language, unit: str) -> None:
        self.line, self.invoice, self.language, self.unit = line, invoice, language, unit
        self.currency = invoice.currency
        self.is_counted = line.kind not in {PriceKind.FIXED, PriceKind.COMMITMENT}
        self.is_rate = line.price is not None and line.price.model.get("type") in _RATES
        self.in_units = line.units is not None

    def issued(self) -> IssuedLine:
        line = self.line
        counted = self._counted(line.quantity) if self.is_counted else ""
        return IssuedLine(
            position=line.position,
            description=line.description,
            period=days_of(line.period_start, line.period_end, self.invoice.customer.timezone),
            notes=self._notes(),
            quantity=line.quantity,
            unit=self.unit,
            unit_amount=None if self.in_units else line.unit_amount,
            amount=line.amount,
            discount=line.discount,
            tax=line.tax,
            tax_rate=line.tax_rate,
            price_key=line.price.key if line.price else "",
            quantity_text=counted,
            unit_price_text=self._one_price(),
            parts=self._parts(line.breakdown),
        )

    def _one_price(self) -> str:
        """The price of each unit; of a fee for a part of a period, that of the whole one."""
        if self.is_counted:
            return "" if self.line.unit_amount is None else self._unit_price(self.line.unit_amount)
        whole = [Decimal(step["before"]) for step in self.line.steps if step["kind"] == "proration"]
        return self._exact(whole[0]) if whole else ""

    def _notes(self) -> list[str]:
        line, say = self.line, self.language.say
        notes = []
        if (line.period_start, line.period_end) != (self.invoice.period_start, self.invoice.period_end):
            zone = self.invoice.customer.timezone
            notes.append(self.language.span(line.period_start, line.period_end, zone))
        if line.role in _ROLES:
            notes.append(say(str(line.role)))
        elif line.kind == PriceKind.COMMITMENT:
            notes.append(say("commitment"))
        notes += filter(None, map(self._step, line.steps))
        if line.discount:
            notes.append(f"{say('discount')} {self.language.money(-line.discount, self.currency)}")
        return notes

    def _step(self, step: Mapping[str, str]) -> str:
        """What a step did to the charge, where it did anything that the columns do not say."""
        kind, setting, before, after = step["kind"], step["setting"], Decimal(step["before"]), Decimal(step["after"])
        say = self.language.say
        if kind == "included":
            return say("included", included=self._counted(Decimal(setting)))
        if kind == "prepaid" and before != after:
            return say("prepaid", paid=self._counted(before - after))
        if kind in ("minimum", "maximum") and before != after:
            return say(kind, limit=self._exact(Decimal(setting)))
        if kind == "proration":
            return say("proration", part=setting)
        if kind == "credits" and before != after:
            return f"{say('credits')}: {self._exact(before - after)}"
        if kind == "conversion":
            worth = self.language.exact_money(_short(Decimal(setting)), self.currency)
            return say("conversion", credits=self.language.number(_short(before)), worth=worth)
        return ""

    def _parts(self, rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Rows of label, quantity, unit price and amount; none where the line itself says all of it."""
        shown = [row for row in rows if Decimal(row["quantity"]) or Decimal(row["amount"])]
        if self._says_it_all([row for row in shown if row.get("reason") != "proration"]):
            return []
        parts = [self._part(row) for row in shown[:MOST_PARTS]]
        if rest := shown[MOST_PARTS:]:
            quantity = sum((Decimal(row["quantity"]) for row in rest), ZERO)
            amount = sum((Decimal(row["amount"]) for row in rest), ZERO)
            label = self.language.say("more", count=self.language.number(Decimal(len(rest))))
            parts.append([label, self.language.number(_readable(quantity)), "", self._exact(_readable(amount))])
        return parts

    def _says_it_all(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether quantity, price and what is noted below them leave nothing to add."""
        return not self.is_counted or (len(rows) < 2 and not any("group" in row for row in rows))

    def _part(self, row: Mapping[str, Any]) -> list[str]:
        amount = self._exact(_readable(Decimal(row["amount"])))
        if reason := row.get("reason"):
            word = reason if reason in ("credits", "charged_in_advance") else f"row_{reason}"
            return [self.language.say(word), "", "", amount]
        number = self.language.number
        label = f"{number(_readable(Decimal(row['from'])))} \u2013 {number(_readable(Decimal(row['to'])))}"
        if "group" in row:
            missing = self.language.say("nothing_there")
            label = ", ".join(f"{name}: {missing if value is None else value}" for name, value in row["group"].items())
        flat, unit_amount = Decimal(row["flat_amount"]), row["unit_amount"]
        price = [] if unit_amount is None else [self._unit_price(Decimal(unit_amount))]
        if flat:
            price = [*(one for one in price if Decimal(unit_amount)), self._exact(flat)]
        return [label, number(_readable(Decimal(row["quantity"]))), " + ".join(price), amount]

    def _counted(self, quantity: Decimal) -> str:
        return self.language.counted(_readable(quantity), self.unit)

    def _unit_price(self, amount: Decimal) -> str:
        return self.language.percent(amount) if self.is_rate else self._exact(amount)

    def _exact(self, amount: Decimal) -> str:
        if self.in_units:
            return f"{self.language.number(_short(amount))} {self.language.say('credits_unit')}"
        return self.language.exact_money(_short(amount), self.currency)


def _readable(value: Decimal) -> Decimal:
    """What was counted or computed, to six digits after the point where that leaves something of it to see."""
    return _short(value) if abs(value) < _SMALL else value.quantize(_READABLE, context=EXACT)


def _short(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, context=EXACT)
