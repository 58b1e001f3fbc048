"""Shares of the processor time: the parts sum to the whole, in proportion to the work."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from inference.domain.apportionment import Apportionment, Share, UnitCosts
from inference.domain.compute import energy_estimate

COSTS = UnitCosts(prompt=1.0, output=2.0)


def test_a_request_alone_pays_for_all_of_it_whatever_it_did():
    pool = Apportionment()
    share = pool.begin(COSTS, at=100)
    assert pool.end(share, at=350) == 250


def test_time_between_requests_is_nobodys():
    pool = Apportionment()
    pool.end(pool.begin(COSTS, at=0), at=10)
    assert pool.end(pool.begin(COSTS, at=500), at=530) == 30


def test_side_by_side_each_pays_by_its_work():
    pool = Apportionment()
    first, second = pool.begin(COSTS, at=0), pool.begin(COSTS, at=0)
    pool.advance(first, prompt_tokens=10, output_tokens=10, at=400)  # 10 + 20 = 30
    pool.advance(second, prompt_tokens=10, output_tokens=0, at=400)  # 10
    assert pool.end(first, at=400) == 300
    assert pool.end(second, at=480) == 180


def test_what_a_request_owes_by_now_is_told_on_the_way():
    pool = Apportionment()
    share = pool.begin(COSTS, at=0)
    assert pool.advance(share, prompt_tokens=1, output_tokens=0, at=70) == 70


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 10_000), st.integers(0, 300), st.integers(0, 300)), max_size=60
    )
)
def test_the_parts_sum_to_the_whole(steps):
    """Requests begin, work and end in any order, and are all ended at last."""
    pool, at, paid, busy = Apportionment(), 0, 0, 0
    running: list[Share] = []
    for action, passed, prompt, output in steps:
        busy += passed if running else 0
        at += passed
        if action <= 1 or not running:
            running.append(pool.begin(COSTS, at=at))
        elif action <= 4:
            pool.advance(running[prompt % len(running)], prompt_tokens=prompt, output_tokens=output, at=at)
        else:
            paid += pool.end(running.pop(prompt % len(running)), at=at)
    while running:
        paid += pool.end(running.pop(), at=at)
    assert paid == busy


def test_energy_is_seconds_times_watts():
    assert energy_estimate(Decimal("2.5"), watts=Decimal("12")) == Decimal("30.000")
