"""Spells of usage: the instants between which a subscription's usage is charged under one plan version.

Fees go by days, usage by instants: an event belongs to the plan in force at its time. Included units, minimums and
maximums of a spell go by days all the same, and each day belongs to the last spell that touches it, so that the
fractions of a period's spells sum to that of its fees.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise

from billing.models import PlanVersion, SubscriptionAddOn
from billing.subscriptions.timeline import Regime, Span, add_on_spans, days_of, spans
from kernel.period import Period


@dataclass(frozen=True, slots=True)
class Spell:
    """Instants between which usage is charged under `version`."""

    period: Period
    version: PlanVersion


def spells(regime: Regime, within: Period) -> list[Spell]:
    """Those of the subscription's plan that lie in `within`, in order of time: cut where the version changes and where
    the subscription is paused. Every instant that is not paused is in exactly one."""
    window = within.intersection(regime.usage_from, regime.usage_until)
    if window is None:
        return []
    found: list[Spell] = []
    terms = regime.terms
    changes = list(zip(terms.instants, (version for _, version in terms.versions), strict=True))
    cuts = {instant for instant, _ in changes if instant in window}
    for piece in _unpaused(regime, window, cuts):
        version = [version for since, version in changes if since <= piece.start][-1]
        last = found[-1] if found else None
        if last is not None and last.period.end == piece.start and last.version == version:
            found[-1] = Spell(Period(last.period.start, piece.end), version)
        else:
            found.append(Spell(piece, version))
    return found


def add_on_spells(regime: Regime, within: Period, add_on: SubscriptionAddOn) -> list[Spell]:
    """Those in which the usage of one add-on is charged."""
    window = within.intersection(regime.usage_from, regime.usage_until)
    window = window and window.intersection(
        add_on.usage_starts_at or add_on.starts_at, add_on.usage_ends_at or add_on.ends_at
    )
    pieces = _unpaused(regime, window, set()) if window else []
    return [Spell(piece, add_on.plan_version) for piece in _joined(pieces)]


def usage_spans(regime: Regime, whole: Period) -> list[Span]:
    """The spells of `whole`, each with the part of the period that its days are."""
    if whole not in regime.usage_answers:
        regime.usage_answers[whole] = _measured(spells(regime, whole), spans(regime, whole), regime, whole)
    return regime.usage_answers[whole]


def add_on_usage_spans(regime: Regime, whole: Period, add_ons: Sequence[SubscriptionAddOn]) -> list[Span]:
    """The same for add-ons of one plan version."""
    found: list[Span] = []
    for add_on in add_ons:
        of_one = add_on_spells(regime, whole, add_on)
        found += _measured(of_one, add_on_spans(regime, whole, [add_on]), regime, whole)
    return _shared(found)


def _unpaused(regime: Regime, window: Period, cuts: Iterable[datetime]) -> list[Period]:
    """`window` cut at `cuts`, without its pauses."""
    breaks = [
        Period(start, end)
        for start, ended in regime.terms.breaks
        if (end := window.end if ended is None else ended) > start
    ]
    edges = {*cuts, *(edge for one in breaks for edge in (one.start, one.end))}
    marks = [window.start, *sorted(edge for edge in edges if window.start < edge < window.end), window.end]
    return [Period(start, end) for start, end in pairwise(marks) if not any(start in one for one in breaks)]


def _joined(pieces: Sequence[Period]) -> list[Period]:
    found: list[Period] = []
    for piece in pieces:
        if found and found[-1].end == piece.start:
            found[-1] = Period(found[-1].start, piece.end)
        else:
            found.append(piece)
    return found


def _measured(found: Sequence[Spell], charged: Sequence[Span], regime: Regime, whole: Period) -> list[Span]:
    """Spells with their parts of the period: of the days that are charged, those that each touches last."""
    owned = _owned_days(found, [days_of(span.period, regime.zone) for span in charged], regime)
    first, end = days_of(whole, regime.zone)
    fractions = [Fraction(days, (end - first).days) for days in owned]
    return _shared([Span(one.period, part, part, one.version, 0) for one, part in zip(found, fractions, strict=True)])


def _owned_days(found: Sequence[Spell], charged: Sequence[tuple[date, date]], regime: Regime) -> list[int]:
    """How many of the `charged` days belong to each spell. One that none touches (paused all day) belongs to the spell
    before it, or to the first."""
    if not found:
        return []
    starts = [days_of(one.period, regime.zone)[0] for one in found]
    edges = [date.min, *starts[1:], date.max]
    return [
        sum(max(0, (min(stop, after) - max(day, since)).days) for day, stop in charged)
        for since, after in pairwise(edges)
    ]


def _shared(found: Sequence[Span]) -> list[Span]:
    """Spans with the share that each is of its version's days: of a version that has no day, the first has it all."""
    total: dict[str, Fraction] = {}
    for one in found:
        total[one.version.pk] = total.get(one.version.pk, Fraction(0)) + one.fraction
    seen: set[str] = set()
    shares: list[Span] = []
    for one in found:
        days, is_first = total[one.version.pk], one.version.pk not in seen
        seen.add(one.version.pk)
        share = one.fraction / days if days else Fraction(int(is_first))
        shares.append(Span(one.period, one.fraction, share, one.version, one.seats))
    return shares
