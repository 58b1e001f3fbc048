"""The cells of a matrix price: reading them, refusing those that contradict each other, finding the one that holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from billing.rating.pricing.reading import ObjectReader, Problems, child, read_text

MOST_DIMENSIONS = 8
MOST_CELLS = 1000

#: What a cell names: (dimension, value) pairs, in the order of the matrix's dimensions.
Where = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """The price of a unit of usage whose dimensions have all the values of `where`."""

    where: Where
    unit_amount: Decimal

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.where)


class CellTable:
    """Finds a group's cell: the one that names most of its dimensions."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._by_names: dict[tuple[str, ...], dict[tuple[str | None, ...], Cell]] = {}
        for cell in sorted(cells, key=lambda cell: -len(cell.where)):
            values: tuple[str | None, ...] = tuple(value for _, value in cell.where)
            self._by_names.setdefault(cell.names, {})[values] = cell

    def find(self, group: Mapping[str, str | None]) -> Cell | None:
        for names, cells in self._by_names.items():  # those that name most come first
            cell = cells.get(tuple(group.get(name) for name in names))
            if cell is not None:
                return cell
        return None


def read_dimensions(fields: ObjectReader) -> tuple[str, ...]:
    """The names at `dimensions`: 1 to 8, all different."""
    pointer = child(fields.pointer, "dimensions")
    names: list[str] = []
    for index, item in enumerate(fields.items("dimensions", most=MOST_DIMENSIONS)):
        name = read_text(item, fields.problems, child(pointer, index))
        if name and name in names:
            fields.problems.add(child(pointer, index), "duplicate_dimension", f"{name!a} is named twice")
        names.append(name)
    return tuple(names)


def read_cells(fields: ObjectReader, dimensions: tuple[str, ...]) -> tuple[Cell, ...]:
    """The cells at `cells`, in their order; no two may be equal or hold equally for the same usage."""
    if fields.values.get("cells") == [] or not fields.required("cells"):
        return ()
    pointer = child(fields.pointer, "cells")
    cells: list[Cell] = []
    for index, item in enumerate(fields.items("cells", most=MOST_CELLS)):
        reader = ObjectReader(item, fields.problems, pointer=child(pointer, index))
        reader.only(("where", "unit_amount"))
        cells.append(Cell(_read_where(reader, dimensions), reader.price("unit_amount")))
    if not fields.problems.errors:
        _check_unequal(cells, fields.problems, pointer)
    if not fields.problems.errors:
        _check_decided(cells, fields.problems, pointer)
    return tuple(cells)


def _read_where(reader: ObjectReader, dimensions: tuple[str, ...]) -> Where:
    if not reader.required("where"):
        return ()
    pointer = child(reader.pointer, "where")
    where = ObjectReader(reader.values["where"], reader.problems, pointer=pointer)
    if where.is_object and not where.values:
        reader.problems.add(pointer, "empty", "a cell names at least one dimension; the rest is default_unit_amount")
    for name in where.values:
        if name not in dimensions:
            detail = f"{str(name)[:60]!a} is not one of the dimensions"
            reader.problems.add(child(pointer, str(name)), "unknown_dimension", detail)
    return tuple(
        (name, read_text(where.values[name], reader.problems, child(pointer, name)))
        for name in dimensions
        if name in where.values
    )


def _check_unequal(cells: list[Cell], problems: Problems, pointer: str) -> None:
    first: dict[Where, int] = {}
    for index, cell in enumerate(cells):
        if first.setdefault(cell.where, index) != index:
            detail = f"the cells {first[cell.where]} and {index} name the same"
            problems.add(child(child(pointer, index), "where"), "duplicate_cell", detail)


def _check_decided(cells: list[Cell], problems: Problems, pointer: str) -> None:
    """No usage may match two cells that name equally many dimensions, unless a third that names more matches too.

    If it matches two such cells it has all the values that both name; a cell among those values that
    names more dimensions than either therefore always wins over both.
    """
    known = {frozenset(cell.where) for cell in cells}
    for left, right in _overlapping(cells):
        both = frozenset(cells[left].where) | frozenset(cells[right].where)
        size = len(cells[left].where)
        if not any(
            frozenset(some) in known for more in range(size + 1, len(both) + 1) for some in combinations(both, more)
        ):
            detail = f"the cells {left} and {right} name equally many dimensions and can both match the same usage"
            problems.add(child(pointer, max(left, right)), "ambiguous_cell", detail)
            if len(problems.errors) >= 10:
                return


def _overlapping(cells: list[Cell]) -> Iterator[tuple[int, int]]:
    """Pairs of cells that name equally many, but not the same, dimensions, and agree on those they share."""
    by_names: dict[tuple[str, ...], list[int]] = {}
    for index, cell in enumerate(cells):
        by_names.setdefault(cell.names, []).append(index)
    for one, other in combinations(by_names, 2):
        if len(one) != len(other):
            continue
        shared = set(one) & set(other)
        agreeing: dict[frozenset[tuple[str, str]], list[int]] = {}
        for index in by_names[one]:
            agreeing.setdefault(_only(cells[index], shared), []).append(index)
        for right in by_names[other]:
            for left in agreeing.get(_only(cells[right], shared), ()):
                yield left, right


def _only(cell: Cell, names: set[str]) -> frozenset[tuple[str, str]]:
    return frozenset(pair for pair in cell.where if pair[0] in names)
