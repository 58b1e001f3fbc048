"""The way of a check past the framework, which costs several times what the check does.

Only what needs no second look is read here, and means the same as in `CheckInput`; all else, and all that is wrong,
goes that way, where it is said what is wrong.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import msgspec

from budgets.contracts import DEFAULT_LIFETIME, LONGEST_LIFETIME, Ask

_SECOND = timedelta(seconds=1)

_Name = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,255}\Z")]
_Number = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,18}(\.[0-9]{1,12})?\Z")]
_Seconds = Annotated[int, msgspec.Meta(ge=1, le=LONGEST_LIFETIME // _SECOND)]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    customer: _Name
    feature: _Name | None = None
    meter: _Name | None = None
    quantity: _Number = "1"
    agent: _Name | None = None
    amount: _Number | None = None
    cost: _Number | None = None
    dimensions: dict[_Name, _Name] = {}  # a Struct copies it
    reserve: bool = False
    lifetime_seconds: _Seconds = DEFAULT_LIFETIME // _SECOND


_decoder = msgspec.json.Decoder(_Body)


def read_ask(body: bytes) -> Ask | None:
    """The question of an ordinary body; None for any other."""
    try:
        said = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if said.feature is not None and said.meter is not None:
        return None
    return Ask(
        customer=said.customer,
        feature=said.feature,
        meter=said.meter,
        quantity=Decimal(said.quantity),
        agent=said.agent,
        amount=None if said.amount is None else Decimal(said.amount),
        cost=None if said.cost is None else Decimal(said.cost),
        dimensions=said.dimensions,
        reserve=said.reserve,
        lifetime=timedelta(seconds=said.lifetime_seconds),
    )
