"""Budgets, features and reservations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from taximeter.client import endpoints, models
from taximeter.client.holding import committed, send
from taximeter.client.listing import Listing
from taximeter.client.resources import PAGE_SIZE, Resource
from taximeter.events import Exact


class Budgets(Resource):
    def list(
        self,
        *,
        scope: str | None = None,
        customer: str | None = None,
        agent: str | None = None,
        plan: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[models.Budget]:
        """Budgets with how far they have come."""
        asked = {"scope": scope, "customer": customer, "agent": agent, "plan": plan}
        return self._list(endpoints.BUDGETS, page_size, asked)

    def get(self, budget: str) -> models.Budget:
        """A budget by its key or id."""
        return self._one(endpoints.BUDGET, budget=budget)

    def crossings(self, budget: str, *, page_size: int = PAGE_SIZE) -> Listing[models.Crossing]:
        """Every threshold that was reached, the newest first."""
        return self._list(endpoints.CROSSINGS, page_size, budget=budget)


class Features(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.Feature]:
        return self._list(endpoints.FEATURES, page_size)

    def get(self, feature: str) -> models.Feature:
        return self._one(endpoints.FEATURE, feature=feature)


class Reservations(Resource):
    """Reservations by their id: for a process other than the one that reserved."""

    def get(self, reservation: str) -> models.Reservation:
        """Can be looked at for a week after it has ended."""
        return self._one(endpoints.RESERVATION, reservation=reservation)

    def commit(
        self,
        reservation: str,
        *,
        quantity: Exact | None = None,
        amount: Exact | None = None,
        cost: Exact | None = None,
        events: Iterable[tuple[str, str] | Mapping[str, Any]] = (),
    ) -> models.Reservation:
        """As `HeldReservation.commit`."""
        body = committed(quantity, amount, cost, events)
        return send(self._connection, endpoints.COMMIT, reservation, body)

    def release(self, reservation: str) -> models.Reservation:
        """As `HeldReservation.release`."""
        return send(self._connection, endpoints.RELEASE, reservation, {})
