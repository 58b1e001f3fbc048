"""Entries of the navigation, which know whether they are where one is."""

from __future__ import annotations

from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def entry(context: Any, name: str, words: str, symbol: str, also: str = "", roles: str = "") -> SafeString | str:
    """A line of the navigation to the page `console:<name>`; nothing for somebody whose role is not among `roles`.

    `also` names the pages, separated by spaces, on which this entry is the one where one is.
    """
    request = context["request"]
    if roles and request.access.role not in roles.split():
        return ""
    match = request.resolver_match
    is_here = match is not None and match.namespace == "console" and match.url_name in {name, *also.split()}
    return format_html(
        '<li><a href="{}"{}><svg aria-hidden="true"><use href="{}#{}"></use></svg>{}</a></li>',
        reverse(f"console:{name}"),
        SafeString(' aria-current="page"' if is_here else ""),
        static("console/icons.svg"),
        symbol,
        words,
    )
