from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from exports.columns import Column, Rows
from exports.tables import Table


class Sink(Protocol):
    """Where the rows of one table go."""

    def write(self, rows: Rows) -> None: ...


class Book(ABC):
    """The files of one export in one format. The same rows give the same bytes."""

    def __init__(self, directory: Path, *, name: str, of: str) -> None:
        """`name` is that of the export, and `of` what all names of its files end in (whose, which month)."""
        self.directory, self.name, self.of = directory, name, of

    @abstractmethod
    def table(self, table: Table) -> AbstractContextManager[Sink]:
        """What takes the rows of a table."""

    def finish(self, columns: Sequence[Column], totals: Rows) -> None:  # noqa: B027 - most formats have no totals
        """Write what comes after the last table."""

    def discard(self) -> None:  # noqa: B027 - what lies in the directory goes with it
        """Let go of what is held outside of the directory, after a failure."""


class FileBook(Book):
    """A format with a file for each table."""

    suffix = ""

    @contextmanager
    def table(self, table: Table) -> Iterator[Sink]:
        path = self.directory / f"{table.name}-{self.of}.{self.suffix}"
        with self.open(path, table) as sink:
            yield sink

    @abstractmethod
    def open(self, path: Path, table: Table) -> AbstractContextManager[Sink]: ...
