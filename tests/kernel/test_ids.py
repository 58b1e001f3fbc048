"""Identifiers are opaque, prefixed and ordered by time."""

from __future__ import annotations

import re
import time

from kernel.ids import new_id


def test_an_id_is_its_prefix_and_a_ulid() -> None:
    assert re.fullmatch(r"inv_[0-7][0-9A-HJKMNP-TV-Z]{25}", new_id("inv"))


def test_ids_do_not_repeat() -> None:
    assert len({new_id("cus") for _ in range(10_000)}) == 10_000


def test_a_later_id_sorts_after_an_earlier_one() -> None:
    earlier = new_id("cus")
    time.sleep(0.002)
    assert earlier < new_id("cus")
