"""Lists of the API as iterables: pages are fetched when they are reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.errors import UnexpectedAnswer

Item = TypeVar("Item")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some of a list. `next_cursor` is where it goes on, None at its end."""

    items: tuple[Item, ...]
    next_cursor: str | None


class Listing(Generic[Item]):
    """A list that is fetched page by page while it is iterated; each iteration begins anew.

    for invoice in client.invoices.list(month="2026-10"): …
    """

    def __init__(
        self, connection: Connection, path: str, item: type[Item], parameters: Mapping[str, str], page_size: int
    ) -> None:
        if not 1 <= page_size <= 1000:
            raise ValueError("page_size is from 1 to 1,000")
        self._connection = connection
        self._path = path
        self._item = item
        self._parameters = {**parameters, "limit": str(page_size)}

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from page.items

    def pages(self, cursor: str | None = None) -> Iterator[Page[Item]]:
        """The list page by page, from `cursor` on: to go on where an earlier reading stopped."""
        while True:
            page = self.page(cursor)
            yield page
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def page(self, cursor: str | None = None) -> Page[Item]:
        """One page: the first, or the one at `cursor`."""
        answer = self._connection.get(self._path, {**self._parameters, **({"cursor": cursor} if cursor else {})})
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise UnexpectedAnswer(f"{self._path} answered no list")
        return Page(tuple(decode(self._item, one) for one in answer["data"]), answer.get("next_cursor"))

    def first(self) -> Item | None:
        """The first item, or None where there is none."""
        return next(iter(self), None)
