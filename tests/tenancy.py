"""Every statement that a request runs is held to its organization.

`tests.conftest` puts this before Django's test client, so that a new endpoint or page is covered by the tests it has
anyway. A statement on a table of tenants is in order where it names the organization, or where it goes by keys that a
statement of the same request has found under one before. It is not where

- it looks up a text that came with the request, such as an id in the address, without naming the organization;
- it has no condition at all, and so reads everybody's rows.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from django.apps import apps
from django.db import connection
from django.urls import Resolver404, resolve

#: Operators see every organization in the Django admin.
_OF_ALL = "/admin"

_TABLES = re.compile(r'(?:FROM|JOIN|UPDATE)\s+(?:ONLY\s+)?"?(\w+)"?', re.IGNORECASE)
_CONDITION = re.compile(r"\bWHERE\b(.*)", re.IGNORECASE | re.DOTALL)
_COLUMN = re.compile(r'"(\w+)"\."(\w+)" (?:=|IN)')
#: Shorter texts are words of the language, not keys.
_SHORTEST = 3

Execute = Callable[..., Any]


class Watch:
    """The statements of one request, in their order."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.sent = frozenset(_texts_of(request))
        self.faults: list[str] = []
        self._found: set[str] = set()
        self._read: set[str] = set()

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: Any) -> Any:
        text = sql if isinstance(sql, str) else sql.as_string(None)
        if not many and (tables := _tenant_tables(text)):
            self._look(text, tables, params)
        return execute(sql, params, many, context)

    def _look(self, text: str, tables: frozenset[str], params: Any) -> None:
        condition = _CONDITION.search(text)
        where = condition[1] if condition is not None else ""
        asked = params
        if text.startswith("UPDATE") and condition is not None and isinstance(params, list | tuple):
            asked = params[text.count("%s", 0, condition.start()) :]  # what is written is no look-up
        given = {one for one in _flat(asked) if isinstance(one, str) and len(one) >= _SHORTEST}
        # By the organization, by what was found under it, or by rows of a table that was read so before.
        if "organization" in where or given & self._found or self._follows(where):
            self._found |= given & self.sent
            self._read |= tables
            return
        names = ", ".join(sorted(tables))
        if unscoped := sorted((given & self.sent) - self._found):
            self.faults.append(f"{unscoped} of the request looked up in {names} without the organization: {text}")
        elif condition is None and "unnest(" not in text:  # whose keys come as arrays
            self.faults.append(f"{names} is read without a condition: {text}")

    def _follows(self, where: str) -> bool:
        """Whether a condition goes by rows of another table that this request has read in order."""
        return any(_points_to().get(column) in self._read for column in _COLUMN.findall(where))


def faults_of(request: Mapping[str, Any], run: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what `run`, the answering of `request` (a WSGI environment in the making), returns, and its faults."""
    if request["PATH_INFO"].startswith(_OF_ALL):
        return run(), []
    watch = Watch(request)
    with connection.execute_wrapper(watch):
        return run(), watch.faults


@functools.cache
def _tenant_tables(sql: str) -> frozenset[str]:
    is_insert = sql.lstrip().upper().startswith("INSERT")
    return frozenset() if is_insert else frozenset(_TABLES.findall(sql)) & tenant_tables()


@functools.cache
def _points_to() -> dict[tuple[str, str], str]:
    """The table that each column with a foreign key points to."""
    return {
        (model._meta.db_table, str(field.column)): field.related_model._meta.db_table
        for model in apps.get_models()
        for field in model._meta.fields
        if field.is_relation and field.related_model is not None
    }


@functools.cache
def tenant_tables() -> frozenset[str]:
    """Tables whose rows belong to an organization: by a column of their own, or by a row that they point to."""
    models = [model for model in apps.get_models() if not model._meta.proxy]
    found = {model for model in models if any(field.name.startswith("organization") for field in model._meta.fields)}
    while True:
        more = {
            model
            for model in models
            for field in model._meta.fields
            if model not in found and field.related_model in found
        }
        if not more:
            return frozenset(model._meta.db_table for model in found)
        found |= more


def _texts_of(request: Mapping[str, Any]) -> Iterator[str]:
    """The texts that a client chose: of the address, the query and the body."""
    with suppress(Resolver404):
        yield from (str(value) for value in resolve(request.get("PATH_INFO", "")).kwargs.values())
    yield from (value for _, value in parse_qsl(request.get("QUERY_STRING", "")))
    body = request.get("wsgi.input")
    if body is None or not hasattr(body, "read"):
        return
    raw = getattr(body, "_FakePayload__content", None)
    content = raw.getvalue() if raw is not None else b""
    if request.get("CONTENT_TYPE", "").startswith("application/json"):
        try:
            yield from _strings(json.loads(content))
        except (ValueError, RecursionError):  # hostile bodies hold no key
            return


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _flat(params: Any) -> Iterator[Any]:
    if isinstance(params, Mapping):
        params = list(params.values())
    if isinstance(params, list | tuple | set | frozenset):
        for one in params:
            yield from _flat(one)
    else:
        yield params
