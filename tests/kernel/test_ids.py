"""Identifiers are opaque, prefixed and ordered by time."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from kernel.ids import new_id


def test_an_id_is_its_prefix_and_a_ulid() -> None:
    assert re.fullmatch(r"inv_[0-7][0-9A-HJKMNP-TV-Z]{25}", new_id("inv"))


def test_ids_do_not_repeat() -> None:
    assert len({new_id("cus") for _ in range(10_000)}) == 10_000


def test_ids_sort_in_the_order_in_which_they_were_made() -> None:
    made = [new_id("cus") for _ in range(10_000)]
    assert made == sorted(made)


def test_ids_of_several_threads_do_not_repeat() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id("cus"), range(20_000)))
    assert len(set(made)) == 20_000
