"""The values that go in and out of accounts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """A customer whose personal details are removed, as each app finds traces of it.

    `customers` are its id and those of the customers merged into it, `subjects` the keys that events name them by,
    `things` the ids and numbers of what belongs to them (invoices, subscriptions, payments), and `texts` values that
    are theirs alone: names and e-mail addresses.
    """

    organization_id: int
    customers: tuple[str, ...]
    subjects: tuple[str, ...]
    things: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every value that a stored message can name the customer by."""
        return (*self.customers, *self.subjects, *self.things, *self.texts)
