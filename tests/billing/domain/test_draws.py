"""Which grant pays what, worked out by hand from the stated order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.draws import Draw, Grant, draw, in_order, rolled_over

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def grant(name: str, balance: str = "10", **fields: object) -> Grant:
    return Grant(**({"id": name, "balance": Decimal(balance), "effective_at": START, "created_at": START} | fields))


def ids(grants: list[Grant]) -> list[str]:
    return [one.id for one in grants]


def test_grants_are_drawn_by_priority_then_expiry_then_source_then_age() -> None:
    grants = [
        grant("older never", source="purchase"),
        grant("balance never", source="balance"),
        grant("newer never", source="purchase", created_at=START + timedelta(seconds=1)),
        grant("promotion never", source="promotion"),
        grant("rollover never", source="rollover"),
        grant("purchase soon", source="purchase", expires_at=NOW),
        grant("promotion later", source="promotion", expires_at=LATER),
        grant("first of all", source="balance", priority=1),
        grant("last of all", source="promotion", priority=200, expires_at=NOW),
    ]
    assert ids(in_order(grants)) == [
        "first of all",
        "purchase soon",
        "promotion later",
        "promotion never",
        "rollover never",
        "older never",
        "newer never",
        "balance never",
        "last of all",
    ]


def test_an_amount_is_taken_from_grant_after_grant() -> None:
    grants = [grant("a", "3.50", priority=1), grant("b", "10", priority=2), grant("c", "1", priority=3)]
    assert draw(grants, Decimal("5"), NOW) == (Draw("a", Decimal("3.50")), Draw("b", Decimal("1.50")))
    assert draw(grants, Decimal("20"), NOW)[-1] == Draw("c", Decimal("1"))  # 14.50 is all there is
    assert draw(grants, Decimal("0"), NOW) == draw(grants, Decimal("-5"), NOW) == ()


@pytest.mark.parametrize(
    ("effective_at", "expires_at", "pays"),
    [
        (NOW - timedelta(microseconds=1), None, True),
        (NOW, None, False),  # effective after the instant it begins at
        (START, NOW, True),  # what falls due the instant it expires is still paid
        (START, NOW - timedelta(microseconds=1), False),
        (START, LATER, True),
    ],
)
def test_a_grant_pays_for_what_falls_due_while_it_lives(
    effective_at: datetime, expires_at: datetime | None, pays: bool
) -> None:
    found = draw([grant("a", effective_at=effective_at, expires_at=expires_at)], Decimal(1), NOW)
    assert bool(found) is pays


def test_what_is_left_lives_on_up_to_the_limit() -> None:
    assert rolled_over(Decimal("8"), None) == 0
    assert rolled_over(Decimal("8"), Decimal("5")) == Decimal("5")
    assert rolled_over(Decimal("4"), Decimal("5")) == Decimal("4")


amounts = st.decimals(0, 1000, places=4)
instants = st.integers(-5, 5).map(lambda days: NOW + timedelta(days=days))
grants_of_any_kind = st.lists(
    st.builds(
        Grant,
        id=st.uuids().map(str),
        balance=amounts,
        effective_at=instants,
        created_at=instants,
        expires_at=st.none() | instants,
        priority=st.integers(0, 3),
        source=st.sampled_from(["promotion", "purchase", "balance", "rollover"]),
    ),
    max_size=8,
    unique_by=lambda one: one.id,
)


@given(grants_of_any_kind, amounts, st.randoms())
def test_draws_never_exceed_a_balance_nor_the_amount_and_take_all_there_is(
    grants: list[Grant], amount: Decimal, chance: object
) -> None:
    draws = draw(grants, amount, NOW)
    balances = {one.id: one.balance for one in grants}
    assert all(0 < one.amount <= balances[one.grant_id] for one in draws)
    usable = sum((one.balance for one in grants if one.pays_at(NOW)), Decimal(0))
    assert sum((one.amount for one in draws), Decimal(0)) == min(usable, amount)
    chance.shuffle(grants)
    assert draw(grants, amount, NOW) == draws


@given(grants_of_any_kind, amounts)
def test_only_the_last_grant_drawn_is_left_with_anything(grants: list[Grant], amount: Decimal) -> None:
    balances = {one.id: one.balance for one in grants}
    for one in draw(grants, amount, NOW)[:-1]:
        assert one.amount == balances[one.grant_id]
