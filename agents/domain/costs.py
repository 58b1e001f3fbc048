"""What calls cost the vendor, by dated rates. Rates change on the hour, so an hour's calls of a kind have one rate."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from agents.domain.summaries import CallTotals
from kernel.money import EXACT

_MILLION = Decimal(1_000_000)
_ZERO = Decimal(0)

#: What OpenTelemetry calls a provider, and what the catalogue of known prices does.
_PROVIDER_NAMES: Mapping[str, str] = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """A dated rate; fields as in `agents.models.CostRate`. `is_own` says that it is the organization's."""

    provider: str
    model: str
    hardware: str
    currency: str
    effective_from: datetime
    input_per_million: Decimal | None = None
    cached_input_per_million: Decimal | None = None
    cache_write_per_million: Decimal | None = None
    output_per_million: Decimal | None = None
    compute_second: Decimal | None = None
    is_own: bool = False

    @property
    def rank(self) -> tuple[bool, int, bool, bool]:
        """The more a rate says, the sooner it is taken; what an organization says itself comes before all else."""
        stem = len(self.model.rstrip("*")) + (not self.model.endswith("*"))
        return self.is_own, stem if self.model else 0, bool(self.provider), bool(self.hardware)

    def fits(self, *, provider: str, model: str, hardware: str) -> bool:
        """Whether it is for calls like these, at whatever time."""
        name = _PROVIDER_NAMES.get(provider, provider)
        if self.provider not in {"", provider, name} or self.hardware not in {"", hardware}:
            return False
        if self.model.endswith("*"):
            return model.startswith(self.model[:-1])
        return self.model in {"", model}

    def cost_of(self, used: CallTotals) -> Decimal:
        """What calls cost, exactly. Cached tokens and those written to a cache are among the input tokens."""
        plain = max(used.input_tokens - used.cached_input_tokens - used.cache_write_tokens, _ZERO)
        full = self.input_per_million or _ZERO
        cached = full if self.cached_input_per_million is None else self.cached_input_per_million
        written = full if self.cache_write_per_million is None else self.cache_write_per_million
        tokens = _ZERO
        for quantity, price in (
            (plain, full),
            (used.cached_input_tokens, cached),
            (used.cache_write_tokens, written),
            (used.output_tokens, self.output_per_million or _ZERO),
        ):
            tokens = EXACT.add(tokens, EXACT.multiply(quantity, price))
        seconds = EXACT.multiply(used.compute_seconds, self.compute_second or _ZERO)
        return EXACT.add(EXACT.divide(tokens, _MILLION), seconds)


class RateTable:
    """Rates by what they are for, each with its history."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        histories: dict[tuple[bool, str, str, str], list[Rate]] = defaultdict(list)
        for rate in rates:
            histories[rate.is_own, rate.provider, rate.model, rate.hardware].append(rate)
        self._histories = [sorted(one, key=lambda rate: rate.effective_from) for one in histories.values()]
        self._histories.sort(key=lambda history: history[0].rank, reverse=True)
        self._found: dict[tuple[str, str, str], list[list[Rate]]] = {}

    def rate_at(self, at: datetime, *, provider: str, model: str, hardware: str) -> Rate | None:
        """The rate in force for such calls, None where there is none."""
        key = provider, model, hardware
        if key not in self._found:
            self._found[key] = [
                history
                for history in self._histories
                if history[0].fits(provider=provider, model=model, hardware=hardware)
            ]
        for history in self._found[key]:
            place = bisect_right(history, at, key=lambda rate: rate.effective_from)
            if place:
                return history[place - 1]
        return None


@dataclass(slots=True)
class Costs:
    """Amounts by currency, and how many calls there is no price for: with any, the amounts are not all."""

    amounts: dict[str, Decimal] = field(default_factory=dict)
    unpriced_calls: int = 0

    def add(self, other: Costs) -> None:
        for currency, amount in other.amounts.items():
            self.amounts[currency] = EXACT.add(self.amounts.get(currency, _ZERO), amount)
        self.unpriced_calls += other.unpriced_calls

    @property
    def currency(self) -> str:
        """US dollars, or what there is instead."""
        return "USD" if "USD" in self.amounts or not self.amounts else min(self.amounts)

    @property
    def amount(self) -> Decimal:
        """What is in `currency`."""
        return self.amounts.get(self.currency, _ZERO)


def cost_of_calls(used: CallTotals, table: RateTable) -> Costs:
    """What the calls of a group in an hour cost: as reported with them, else by the rate in force in that hour."""
    if used.cost_currency is not None:
        return Costs({used.cost_currency: used.cost})
    rate = table.rate_at(used.hour, provider=used.provider, model=used.model, hardware=used.hardware)
    if rate is None:
        return Costs(unpriced_calls=used.calls)
    return Costs({rate.currency: rate.cost_of(used)})
