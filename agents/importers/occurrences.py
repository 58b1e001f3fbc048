"""Counting equal rows without keeping the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class Occurrences:
    """Tells how many equal rows came before each, from 64 bits of their hashes: 8 bytes of memory a row.

    Two different rows with the same 64 bits are numbered like equal ones. That costs nothing: the number is
    hashed together with the row, and comes out the same whenever the same file is read.
    """

    def __init__(self) -> None:
        # Sorted arrays, each at least twice as long as the next, so that there are few to look into.
        self._seen: list[npt.NDArray[np.uint64]] = []
        self._again: dict[int, int] = {}

    def number(self, hashes: Sequence[bytes]) -> list[int]:
        """For each hash in turn (8 bytes or more), how often it was given before."""
        keys = np.frombuffer(b"".join(one[:8] for one in hashes), dtype="<u8")
        known = self._contains(keys)
        numbers: list[int] = []
        here: set[int] = set()
        for key, was_seen in zip(keys.tolist(), known.tolist(), strict=True):
            if was_seen or key in here:
                self._again[key] = self._again.get(key, 0) + 1
            here.add(key)
            numbers.append(self._again.get(key, 0))
        self._add(np.unique(keys[~known]))
        return numbers

    def _contains(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        known = np.zeros(len(keys), dtype=bool)
        for part in self._seen:
            places = np.minimum(np.searchsorted(part, keys), len(part) - 1)
            known |= part[places] == keys
        return known

    def _add(self, new: npt.NDArray[np.uint64]) -> None:
        while self._seen and len(self._seen[-1]) < 2 * len(new):
            new = np.union1d(self._seen.pop(), new)
        if len(new):
            self._seen.append(new)
