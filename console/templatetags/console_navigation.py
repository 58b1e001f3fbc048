"""Entries of the navigation, which know whether they are where one is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

#: Pages of figures over a period; whoever goes from one to another keeps the period.
_OVER_A_PERIOD = frozenset({"overview", "agents", "models", "meters"})
_PERIOD = ("period", "from", "to")


@register.simple_tag(takes_context=True)
def entry(context: Any, name: str, words: str, symbol: str, also: str = "", may: str = "") -> SafeString | str:
    """A line of the navigation to the page `console:<name>`; nothing for members without the permission `may`.

    `also` names the pages, separated by spaces, on which this entry is the one where one is.
    """
    request = context["request"]
    if may and may not in request.access.may:
        return ""
    match = request.resolver_match
    is_here = match is not None and match.namespace == "console" and match.url_name in {name, *also.split()}
    return format_html(
        '<li><a href="{}"{}><svg aria-hidden="true"><use href="{}#{}"></use></svg>{}</a></li>',
        reverse(f"console:{name}") + _period(request, name),
        SafeString(' aria-current="page"' if is_here else ""),
        static("console/icons.svg"),
        symbol,
        words,
    )


def _period(request: Any, name: str) -> str:
    """The period that is looked at, as the query of the page `name`; nothing where one of them has none."""
    at = request.resolver_match.url_name if request.resolver_match else ""
    if name not in _OVER_A_PERIOD or at not in _OVER_A_PERIOD | {"agent", "customer"}:
        return ""
    kept = {key: request.GET[key] for key in _PERIOD if request.GET.get(key)}
    return f"?{urlencode(kept)}" if kept else ""
