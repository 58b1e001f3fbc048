"""Filters by which the templates write numbers and times."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console import formats
from console.charts import Chart
from console.reader import moment_in, reader
from console.selection import Selection
from console.wording import unit_name

register = template.Library()


@register.filter
def chart_data(value: Any) -> str:
    """JSON as escaped text, for an element that a script reads: htmx removes script elements from what it swaps in."""
    return json.dumps(value, cls=DjangoJSONEncoder)


register.filter("money", formats.money)
register.filter("exact_money", formats.exact_money)
register.filter("taken_off", formats.taken_off)
register.filter("small_money", formats.small_money)
register.filter("quantity", formats.quantity)


@register.filter
def account(value: str) -> str:
    """The name of an account, or of a kind of posting: `Deferred revenue`."""
    return value.replace("_", " ").capitalize()


@register.filter
def money_text(text: str, currency: str) -> str:
    """An amount that is kept as text, with all its digits."""
    return formats.exact_money(Decimal(text), currency)


@register.filter
def rounded(value: Decimal | int) -> str:
    return formats.rounded(Decimal(value))


@register.filter
def instant(value: datetime | None) -> SafeString | str:
    """A time in the zone the page is read in, to the second."""
    return _time(value, "yMMMd", "Hms", shown="%-d %b %Y, %H:%M:%S", title="%Y-%m-%d %H:%M:%S.%f %Z")


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """A time to the minute, without its year in the present one."""
    return _time(value, "MMMd", "Hm", shown="%-d %b, %H:%M", title="%Y-%m-%d %H:%M:%S %Z")


def _time(value: datetime | None, days: str, times: str, *, shown: str, title: str) -> SafeString | str:
    """A `time` element in the zone the page is read in: by two CLDR skeletons in the reader's way, else by a `strftime`
    format, as its `title` always is."""
    if value is None:
        return formats.NOTHING
    local, language = timezone.localtime(value), reader()
    written = moment_in(language, local, days=days, times=times) if language else local.strftime(shown)
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), local.strftime(title), written)


@register.filter
def day(value: datetime | date | None) -> str:
    if value is None:
        return formats.NOTHING
    return formats.day(timezone.localtime(value).date() if isinstance(value, datetime) else value)


@register.simple_tag
def days_of(start: datetime, end: datetime, zone: str) -> str:
    """A half-open period as its first and last day in a time zone: "1 Oct - 31 Oct 2026"."""
    first = start.astimezone(ZoneInfo(zone))
    last = (end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    return formats.days(first.date(), last.date())


@register.simple_tag
def reader_locale() -> str:
    """The tag by which scripts write numbers."""
    language = reader()
    return str(language.locale).replace("_", "-") if language else "en-US"


@register.filter
def get(mapping: dict[Any, Any], key: Any) -> Any:
    return mapping.get(key)


@register.simple_tag
def selection_query(selection: Selection, **changes: str | None) -> str:
    """The query string of a selection with changes."""
    return selection.query(**changes)


@register.inclusion_tag("console/_chart.html")
def chart(shown: Chart, selection: Selection, size: str = "", name: str = "") -> dict[str, Any]:
    """A figure with its table and its CSV. `name` tells apart two charts of one kind on a page."""
    return {"chart": shown, "selection": selection, "size": size, "id": f"chart-{name or shown.key}"}


@register.filter
def time_of_day(value: datetime) -> str:
    """To the millisecond, in the zone the page is read in."""
    return timezone.localtime(value).strftime("%H:%M:%S.%f")[:-3]


@register.filter
def duration(milliseconds: int | None) -> str:
    """A length of time in its two largest units: `740 ms`, `12.5 s`, `3 min 20 s`, `2 h 5 min`."""
    if milliseconds is None:
        return formats.NOTHING
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{formats.rounded(Decimal(milliseconds) / 1000)} s"
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{formats.quantity(Decimal(hours))} h {minutes} min" if hours else f"{minutes} min {seconds} s"


@register.filter
def month(value: object) -> str:
    """A month such as `2026-10` in the reader's way: `Oct 2026`."""
    return formats.month_named(value) if value else formats.NOTHING


@register.simple_tag
def customer_link(key: str) -> SafeString | str:
    """The key that usage came with, as a link to the customer of that key; as it is where no address can hold it."""
    if not key:
        return formats.NOTHING
    address = page_about("customer", key)
    return format_html('<a href="{}">{}</a>', address, key) if address else key


def page_about(page: str, key: str) -> str:
    """The address of the console's page about what has this key; empty where no address can hold it."""
    try:
        return reverse(f"console:{page}", args=[key])
    except NoReverseMatch:
        return ""


@register.simple_tag
def query_with(query: dict[str, str], **more: str) -> str:
    return urlencode({**query, **more})


_ADDRESS = ("name", "line1", "line2", "street", "postal_code", "city", "state", "region", "country")


@register.filter
def address_lines(address: object) -> list[str]:
    """The parts of an address in the order of an envelope, those of unknown names last."""
    if not isinstance(address, dict):
        return []
    names = [*_ADDRESS, *(name for name in address if name not in _ADDRESS)]
    return [str(address[name]) for name in names if address.get(name)]


@register.filter
def as_json(value: object) -> str:
    """A value that an event's field is compared with, as the event writes it: `true`, and text without its quotes."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


register.filter("unit_name", unit_name)

_AGGREGATIONS = {
    "sum": "the sum",
    "unique_count": "the distinct values",
    "max": "the highest",
    "min": "the lowest",
    "latest": "the latest",
    "average": "the average",
}
_OPERATORS = {
    "eq": "is",
    "ne": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "gt": "over",
    "gte": "at least",
    "lt": "under",
    "lte": "at most",
    "exists": "exists:",
}

register.filter("aggregation", lambda name: _AGGREGATIONS.get(name, name))
register.filter("operator", lambda name: _OPERATORS.get(name, name))
