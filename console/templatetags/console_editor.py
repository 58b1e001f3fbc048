"""Fields of the plan editor: what was typed stays, and what is wrong is said at its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.plan_draft import PriceDraft
from kernel.money import EXACT

register = template.Library()

Faults = Mapping[str, Sequence[str]]
_NONE = SafeString("")
_LIMITS = ("included", "minimum", "maximum", "pricing_unit", "tax_rate")


@register.filter
def concat(left: object, right: object) -> str:
    return f"{left}{right}"


@register.filter
def plain(value: Decimal | None) -> str:
    """A number as somebody types it."""
    return "" if value is None or value == "" else format(Decimal(value).normalize(EXACT) + 0, "f")


@register.filter
def has_limits(price: PriceDraft) -> bool:
    return any(price.fields.get(name) for name in _LIMITS) or not price.fields.get("prorate")


@register.simple_tag
def plan_field(fields: Mapping[str, str], faults: Faults, name: str, label: str, **options: Any) -> SafeString:
    return _field(name, label, _input(name, fields.get(name, ""), faults, **options), faults, options.get("help", ""))


@register.simple_tag
def plan_select(fields: Mapping[str, str], faults: Faults, name: str, label: str, choices: Iterable[str]) -> SafeString:
    pairs = [(one, one) for one in choices]
    return _field(name, label, _select(name, fields.get(name, ""), faults, pairs), faults, "")


@register.simple_tag
def plan_tick(fields: Mapping[str, str], faults: Faults, name: str, label: str) -> SafeString:
    return _tick(name, label, bool(fields.get(name)), faults)


@register.simple_tag
def price_field(price: PriceDraft, faults: Faults, i: int, name: str, label: str, **options: Any) -> SafeString:
    full = f"prices-{i}-{name}"
    given = _input(full, price.fields.get(name, ""), faults, **options)
    return _field(full, label, given, faults, options.get("help", ""))


@register.simple_tag
def price_select(
    price: PriceDraft, faults: Faults, i: int, name: str, label: str, choices: Iterable[tuple[str, str]], value: str
) -> SafeString:
    full = f"prices-{i}-{name}"
    # What a price charges and by which model decides what else there is to fill in.
    return _field(full, label, _select(full, value, faults, choices, asks=name in {"kind", "type"}), faults, "")


@register.simple_tag
def price_tick(price: PriceDraft, faults: Faults, i: int, name: str, label: str) -> SafeString:
    return _tick(f"prices-{i}-{name}", label, bool(price.fields.get(name)), faults)


@register.simple_tag
def cell_field(row: Mapping[str, str], faults: Faults, at: str, j: int, name: str, label: str, **options: Any) -> Any:
    full = f"{at}-{j}-{name}"
    given = _input(full, row.get(name, ""), faults, label=label, number=not options.pop("text", False), **options)
    return format_html("{}{}", given, _errors(full, faults))


def _input(name: str, value: str, faults: Faults, **options: Any) -> SafeString:
    number = SafeString(' inputmode="decimal" class="number"') if options.get("number") else _NONE
    listed = format_html(' list="{}"', options["list"]) if options.get("list") else _NONE
    label = format_html(' aria-label="{}"', options["label"]) if options.get("label") else _NONE
    focus = SafeString(" autofocus") if options.get("focus") else _NONE
    return format_html(
        '<input type="text" name="{}" id="{}" value="{}" maxlength="2000" autocomplete="off"{}{}{}{}{}>',
        *(name, name, value, number, listed, label, focus, _said(name, faults, options.get("help", ""))),
    )


def _select(
    name: str, value: str, faults: Faults, choices: Iterable[tuple[str, str]], *, asks: bool = False
) -> SafeString:
    made = format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        ((key, SafeString(" selected") if key == value else _NONE, words) for key, words in choices),
    )
    again = ' hx-post="" hx-vals=\'{"do": "refresh"}\' hx-target="#editor" hx-select="#editor" hx-swap="outerHTML"'
    return format_html(
        '<select name="{}" id="{}"{}{}>{}</select>',
        *(name, name, SafeString(again) if asks else _NONE, _said(name, faults, ""), made),
    )


def _tick(name: str, label: str, ticked: bool, faults: Faults) -> SafeString:
    return format_html(
        '<div class="field tick"><input type="checkbox" name="{}" id="{}" value="on"{}>'
        '<label for="{}">{}</label>{}</div>',
        *(name, name, SafeString(" checked") if ticked else _NONE, name, label, _errors(name, faults)),
    )


def _field(name: str, label: str, given: SafeString, faults: Faults, help: str) -> SafeString:
    told = format_html('<p class="help" id="{}-help">{}</p>', name, help) if help else _NONE
    return format_html(
        '<div class="field"><label for="{}">{}</label>{}{}{}</div>', name, label, given, _errors(name, faults), told
    )


def _said(name: str, faults: Faults, help: str) -> SafeString:
    """Where what is said about a field stands, for who cannot see it."""
    parts = [f"{name}-errors"] * bool(faults.get(name)) + [f"{name}-help"] * bool(help)
    described = format_html(' aria-describedby="{}"', " ".join(parts)) if parts else _NONE
    return format_html("{}{}", SafeString(' aria-invalid="true"') if faults.get(name) else _NONE, described)


def _errors(name: str, faults: Faults) -> SafeString:
    if not faults.get(name):
        return _NONE
    items = format_html_join("", "<li>{}</li>", ((text,) for text in faults[name]))
    return format_html('<ul class="errorlist" id="{}-errors">{}</ul>', name, items)
