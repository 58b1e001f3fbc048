"""Telling other systems what happens, in the transaction in which it happens.

How a thing looks is the API's business. Its functions are registered when Django starts, so that services need not know
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Model, prefetch_related_objects

from notifications.facade import Announcement, announce, listened_types

#: Makes the API's answer of a thing.
Present = Callable[[Any], dict[str, Any]]

_presenters: dict[type[Model], Present] = {}

#: What presenting a thing reads besides it.
_READS = {"Invoice": ("customer",), "Payment": ("invoice__customer",), "CreditNote": ("invoice__customer", "lines")}


def show_with(presenters: Mapping[type[Model], Present]) -> None:
    """Called once at start-up by the API."""
    _presenters.update(presenters)


def tell(type: str, things: Sequence[Any], *, at: datetime) -> None:
    """Announce that `type` happened to `things`, which belong to one organization. Nothing is read or written where
    nobody listens."""
    tell_of({type: things}, at=at)


def tell_of(happened: Mapping[str, Sequence[Any]], *, at: datetime) -> None:
    """As `tell`, for several types, in their order."""
    told = [(type, thing) for type, things in happened.items() for thing in things]
    if not told:
        return
    heard = listened_types(organization_id=told[0][1].organization_id, types=list(happened))
    told = [(type, thing) for type, thing in told if type in heard]
    _read_ahead([thing for _, thing in told])
    announce(
        [
            Announcement(thing.organization_id, type, thing.pk, _presenters[thing.__class__](thing), at)
            for type, thing in told
        ]
    )


def _read_ahead(things: Sequence[Model]) -> None:
    for name, reads in _READS.items():
        some = [one for one in things if one.__class__.__name__ == name]
        if some:
            prefetch_related_objects(some, *reads)
