"""What a dashboard is about: a period in a time zone, and filters. Read from the address, and written back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from console.formats import days, months
from kernel.errors import InvalidError
from kernel.period import Month, Period, midnight

PERIODS = {
    "this_month": "This month",
    "last_month": "Last month",
    "last_30_days": "Last 30 days",
    "custom": "Custom",
}

#: A longer period than this is drawn by the month.
_MOST_DAYS_DRAWN = 100
_MOST_DAYS = 1_100
#: What calls of models are told apart by; nothing else knows them.
CALL_FILTERS = ("model", "hardware", "region")
_FILTERS = ("customer", "agent", "plan", *CALL_FILTERS, "currency", "meter")
_LONGEST_FILTER = 255


@dataclass(frozen=True)
class Selection:
    """The days `first` to `last`, both included, of `zone`; filters are keys, None for all.

    `today` is the day at the moment of asking: days after it are not drawn.
    """

    name: str
    zone: ZoneInfo
    first: date
    last: date
    today: date
    customer: str | None = None
    agent: str | None = None
    plan: str | None = None
    model: str | None = None
    hardware: str | None = None
    region: str | None = None
    currency: str | None = None
    meter: str | None = None

    @cached_property
    def period(self) -> Period:
        return Period(midnight(self.first, self.zone), midnight(self.last + timedelta(days=1), self.zone))

    @cached_property
    def months(self) -> tuple[Month, ...]:
        """Every month that the period touches."""
        months = [Month(self.first.year, self.first.month)]
        while months[-1] < Month(self.last.year, self.last.month):
            months.append(months[-1].next())
        return tuple(months)

    @property
    def is_whole_months(self) -> bool:
        after = self.last + timedelta(days=1)
        return self.first == self.months[0].first_day and after == self.months[-1].next().first_day

    @property
    def window(self) -> str:
        return "day" if (self.last - self.first).days < _MOST_DAYS_DRAWN else "month"

    @cached_property
    def windows(self) -> list[date]:
        """The first day of each window up to today, in order."""
        if self.window == "month":
            return [max(month.first_day, self.first) for month in self.months if month.first_day <= self.today]
        until = min(self.last, self.today)
        return [self.first + timedelta(days=i) for i in range((until - self.first).days + 1)]

    @property
    def is_of_calls(self) -> bool:
        """Whether a filter is set that only calls of models know."""
        return any(getattr(self, name) for name in CALL_FILTERS)

    @cached_property
    def before(self) -> Selection:
        """The same stretch just before: whole months for months, else as many days. While the period goes on, only as
        much of it as has passed of this one."""
        day = timedelta(days=1)
        if self.is_whole_months:
            month = self.months[0]
            for _ in self.months:
                month = month.previous()
            first, last = month.first_day, self.first - day
        else:
            last = self.first - day
            first = last - (self.last - self.first)
        if self.first <= self.today < self.last:
            last = min(last, first + (self.today - self.first))
        return replace(self, name="custom", first=first, last=last)

    @property
    def days_in_words(self) -> str:
        """Such as "1 Oct - 28 Oct 2026"."""
        return days(self.first, self.last)

    @property
    def months_in_words(self) -> str:
        """Such as "Oct 2026" or "Sep 2026 - Nov 2026"."""
        first, last = self.months[0].first_day, self.months[-1].first_day
        return months(first, last)

    @property
    def period_fields(self) -> dict[str, str]:
        """What of the address says the period."""
        if self.name != "custom":
            return {"period": self.name}
        return {"period": self.name, "from": self.first.isoformat(), "to": self.last.isoformat()}

    @property
    def period_query(self) -> str:
        """The query string that asks for this period and no filters."""
        return urlencode(self.period_fields)

    @property
    def filter_fields(self) -> dict[str, str]:
        """What of the address says the filters."""
        return {name: value for name in _FILTERS if (value := getattr(self, name))}

    def query(self, **changes: str | None) -> str:
        """The query string that asks for this selection, with `changes`; None takes a part away."""
        period = {} if "period" in changes else self.period_fields
        merged: dict[str, str | None] = {**period, **self.filter_fields, **changes}
        return urlencode({name: value for name, value in merged.items() if value})


def read_selection(parameters: Mapping[str, str], *, now: datetime, zone: ZoneInfo) -> Selection:
    """The selection in an address: this month where it says nothing; `InvalidError` where it makes no sense."""
    name = parameters.get("period") or ("custom" if parameters.get("from") or parameters.get("to") else "this_month")
    today = now.astimezone(zone).date()
    month = Month(today.year, today.month)
    if name == "this_month":
        first, last = month.first_day, month.next().first_day - timedelta(days=1)
    elif name == "last_month":
        first, last = month.previous().first_day, month.first_day - timedelta(days=1)
    elif name == "last_30_days":
        first, last = today - timedelta(days=29), today
    elif name == "custom":
        first, last = _day(parameters, "from", month.first_day), _day(parameters, "to", today)
    else:
        raise InvalidError(f"period is one of {', '.join(PERIODS)}", code="period_invalid")
    if not first <= last:
        raise InvalidError("The first day must come before the last", code="period_invalid")
    if (last - first).days >= _MOST_DAYS:
        raise InvalidError(f"A period has at most {_MOST_DAYS:,} days here", code="period_too_long")
    filters = {key: (parameters.get(key) or "").strip()[:_LONGEST_FILTER] or None for key in _FILTERS}
    if filters["currency"]:
        filters["currency"] = filters["currency"].upper()
    return Selection(name, zone, first, last, today, **filters)


def _day(parameters: Mapping[str, str], name: str, default: date) -> date:
    text = parameters.get(name)
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidError(f"{name} must be a day such as 2026-10-01", code=f"{name}_invalid") from None
    if not 1970 <= day.year <= 9000:
        raise InvalidError(f"{name} is a day far from any usage", code=f"{name}_invalid")
    return day
