"""The values that go in and out of budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from kernel.errors import ConflictError, InvalidError, NotFoundError

#: How long a reservation lasts unless it says otherwise, and at most.
DEFAULT_LIFETIME = timedelta(minutes=5)
LONGEST_LIFETIME = timedelta(days=1)
#: How many events a commit may name.
MOST_EVENTS = 1000


class FeatureNotFound(NotFoundError):
    code = "feature_not_found"


class EstimateMissing(InvalidError):
    """A budget that stops is in money, and what the work comes to at most cannot be told from its quantity."""

    code = "estimate_required"


class ReservationEnded(ConflictError):
    """It was released, or has expired: it holds nothing any more."""

    code = "reservation_ended"


class ReservationCommitted(ConflictError):
    """The work was done: nothing of it can be given back."""

    code = "reservation_committed"


@dataclass(frozen=True, slots=True)
class Ask:
    """May this be done? `customer` is a key or id; `feature` or `meter` what is used, `quantity` how much of it.

    With neither, no budget that concerns the customer and the agent may be used up. `amount` is what the customer is
    charged for it at most, `cost` what it costs the vendor. `dimensions` are what is known of the usage to come.
    Where it `is_customers_own` question, the answer tells of nothing but that customer's limits.
    """

    customer: str
    feature: str | None = None
    meter: str | None = None
    quantity: Decimal = Decimal(1)
    agent: str | None = None
    amount: Decimal | None = None
    cost: Decimal | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)
    reserve: bool = False
    lifetime: timedelta = DEFAULT_LIFETIME
    is_customers_own: bool = False


@dataclass(frozen=True, slots=True)
class Reserved:
    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is allowed; where it is not, `reason` is a stable code and `detail` says it to people.

    `remaining` is how much of the meter is left afterwards, `remaining_amount` how much money in `currency`; None
    where nothing limits it. `warnings` has `soft_limit_reached`.
    """

    allowed: bool
    reason: str | None = None
    detail: str | None = None
    budget: str | None = None
    remaining: Decimal | None = None
    remaining_amount: Decimal | None = None
    currency: str | None = None
    warnings: tuple[str, ...] = ()
    reservation: Reserved | None = None
