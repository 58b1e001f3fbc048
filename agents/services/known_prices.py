"""Known prices of hosted models, copied from the data of the `genai-prices` package (Pydantic, MIT) as dated rates.

The package ships its data; nothing is fetched. A newer package has newer prices, and refreshing again adds those.
Prices that depend on a prompt's length are entered at their base; those by the time of day, and by the image, the
minute or the search, are not entered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import genai_prices
from genai_prices import data as catalogue
from genai_prices.types import ClauseEquals, ClauseOr, ClauseStartsWith, StartDateConstraint, TieredPrices

from agents.models import CostRate

#: Of a price that always was. Before it, nobody was billed by tokens.
_ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)
_FIELDS = {
    "input_per_million": "input_mtok",
    "cached_input_per_million": "cache_read_mtok",
    "cache_write_per_million": "cache_write_mtok",
    "output_per_million": "output_mtok",
}


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many rates were entered, and how many known prices were there already."""

    entered: int
    known: int


def refresh_known_prices() -> Refreshed:
    """Enter every known price that is not there yet, for everyone. Rates that are there are never changed."""
    source = f"genai-prices {genai_prices.__version__}"
    there = set(
        CostRate.objects.filter(organization=None, hardware="").values_list("provider", "model", "effective_from")
    )
    wanted = {(rate.provider, rate.model, rate.effective_from): rate for rate in known_rates(source)}
    new = [rate for key, rate in wanted.items() if key not in there]
    CostRate.objects.bulk_create(new, ignore_conflicts=True, batch_size=1_000)
    return Refreshed(len(new), len(wanted) - len(new))


def known_rates(source: str) -> Iterator[CostRate]:
    """A rate for each name of each model of each provider and each date from which its price holds."""
    for provider in catalogue.providers:
        for model in provider.models:
            prices = list(_dated(model.prices))
            for name in sorted({model.id, *_names(model.match)}):
                for effective_from, amounts in prices:
                    yield CostRate(
                        provider=provider.id, model=name, effective_from=effective_from, source=source, **amounts
                    )


def _dated(prices: Any) -> Iterator[tuple[datetime, dict[str, Decimal]]]:
    found: dict[datetime, dict[str, Decimal]] = {}
    for one in prices if isinstance(prices, list) else [prices]:
        constraint = getattr(one, "constraint", None)
        amounts = _amounts(getattr(one, "prices", one))
        if not amounts:
            continue
        if constraint is None:
            found.setdefault(_ALWAYS, amounts)
        elif isinstance(constraint, StartDateConstraint):
            found[datetime.combine(constraint.start_date, time.min, UTC)] = amounts
    yield from sorted(found.items())


def _amounts(price: Any) -> dict[str, Decimal]:
    amounts = {}
    for ours, theirs in _FIELDS.items():
        value = getattr(price, theirs, None)
        if isinstance(value, TieredPrices):
            value = value.base
        if value is not None:
            amounts[ours] = Decimal(value)
    return amounts if {"input_per_million", "output_per_million"} & set(amounts) else {}


def _names(match: Any) -> Iterator[str]:
    """The names a model goes by; `…*` for all that begin so. Rules that look inside a name are left to the id."""
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseStartsWith):
        yield f"{match.starts_with}*"
    elif isinstance(match, ClauseOr):
        for one in match.or_:
            yield from _names(one)
