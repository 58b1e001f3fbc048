"""What calls cost the vendor: by the price in force at their time, whatever prices do later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.domain.costs import Rate, RateTable, cost_of_calls
from agents.domain.summaries import CallTotals
from agents.models import CostRate
from agents.recording import call_cost
from agents.services.known_prices import refresh_known_prices
from agents.services.projection import advance_task_summaries
from metering.facade import ingest
from tests.agents.test_task_summaries import NOW, event
from tests.api import Api, make_api

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def rate(
    provider: str = "openai", model: str = "m", start: datetime = OCTOBER, *, hardware: str = "", **prices: str
) -> Rate:
    amounts = {name: Decimal(value) for name, value in prices.items()}
    return Rate(provider, model, hardware, "USD", start, **amounts)


def used(**quantities: Any) -> CallTotals:
    group = CallTotals(
        group_key=None, hour=NOVEMBER, task_key=None, customer=None, agent=None, provider="openai", model="m",
        hardware="", cost_currency=None, calls=1,
    )  # fmt: skip
    for name, value in quantities.items():
        setattr(group, name, value if isinstance(value, str | datetime) else Decimal(value))
    return group


def test_cached_and_written_tokens_have_prices_of_their_own_within_the_input():
    prices = rate(
        input_per_million="3", cached_input_per_million="0.3", cache_write_per_million="3.75", output_per_million="15"
    )
    calls = used(input_tokens=10_000, cached_input_tokens=6_000, cache_write_tokens=1_000, output_tokens=200)
    # 3,000 x 3 + 6,000 x 0.3 + 1,000 x 3.75 + 200 x 15, a millionth of it: 9,000 + 1,800 + 3,750 + 3,000
    assert prices.cost_of(calls) == Decimal("0.01755")


def test_seconds_cost_by_the_class_of_hardware():
    table = RateTable([
        rate("taximeter", "", hardware="cpu", compute_second="0.00001"),
        rate("taximeter", "", hardware="gpu", compute_second="0.0005"),
    ])  # fmt: skip
    calls = used(provider="taximeter", hardware="gpu", compute_seconds=20)
    assert cost_of_calls(calls, table).amounts == {"USD": Decimal("0.01")}
    assert cost_of_calls(used(provider="taximeter", hardware="tpu", compute_seconds=20), table).unpriced_calls == 1


def test_the_price_in_force_at_the_hour_counts():
    table = RateTable([rate(input_per_million="10"), rate(start=NOVEMBER, input_per_million="4")])
    before = used(input_tokens=1_000_000, hour=NOVEMBER - timedelta(hours=1))
    assert cost_of_calls(before, table).amount == 10
    assert cost_of_calls(used(input_tokens=1_000_000, hour=NOVEMBER), table).amount == 4
    assert cost_of_calls(used(input_tokens=1_000_000, hour=OCTOBER - timedelta(hours=1)), table).unpriced_calls == 1


def test_what_says_most_is_taken_and_an_organizations_own_word_before_all():
    rates = [
        rate("", "gpt-*", input_per_million="1"),
        rate("", "gpt-4*", input_per_million="2"),
        rate("", "gpt-4o", input_per_million="3"),
        rate("openai", "gpt-4o", input_per_million="4"),
        rate("openai", "", input_per_million="5"),
    ]

    def price(model: str, provider: str, of: list[Rate]) -> Decimal | None:
        found = RateTable(of).rate_at(NOVEMBER, provider=provider, model=model, hardware="")
        return found and found.input_per_million

    assert price("gpt-4o", "openai", rates) == 4
    assert price("gpt-4o", "azure", rates) == 3
    assert price("gpt-4-turbo", "azure", rates) == 2
    assert price("gpt-3", "azure", rates) == 1
    assert price("o9", "openai", rates) == 5
    assert price("o9", "azure", rates) is None
    own = Rate("", "gpt-*", "", "USD", OCTOBER, input_per_million=Decimal(6), is_own=True)
    assert price("gpt-4o", "openai", [*rates, own]) == 6
    assert price("gemini", "gcp.gemini", [rate("google", "gemini", input_per_million="7")]) == 7


@pytest.fixture
def api(transactional_db: None) -> Api:
    return make_api("Vendor")


def call(number: int, hour: datetime, **data: Any) -> dict[str, Any]:
    told = {"provider": "openai", "model": "m", "input_tokens": 1_000_000, "output_tokens": 0, **data}
    return event("inference.call", number, **told) | {"time": hour.isoformat()}


def put(api: Api, *events: dict[str, Any]) -> None:
    assert not ingest(organization_id=api.organization.pk, events=events, received_at=NOW).rejected


def cost(api: Api) -> dict[str, Any]:
    advance_task_summaries()
    [listed] = api.get("tasks").json()["data"]
    found = api.get("tasks/t-1").json()["cost"]
    assert listed["cost"] == found
    return found


def test_costs_stay_right_when_prices_change_and_when_they_are_put_right_later(api):
    put(api, call(1, NOVEMBER - timedelta(hours=2)), call(2, NOVEMBER + timedelta(hours=2)))
    assert cost(api) == {"amount": "0", "currency": "USD", "unpriced_calls": 2}
    body = {"provider": "openai", "model": "m", "input_per_million": "10", "effective_from": "2026-10-01T00:00:00Z"}
    assert api.post("cost_rates", body).status_code == 201
    assert cost(api) == {"amount": "20", "currency": "USD", "unpriced_calls": 0}
    cheaper = body | {"input_per_million": "4", "effective_from": "2026-11-01T00:00:00Z"}
    assert api.post("cost_rates", cheaper).status_code == 201
    assert cost(api)["amount"] == "14"
    later = body | {"input_per_million": "1", "effective_from": "2026-12-01T00:00:00Z"}
    assert api.post("cost_rates", later).status_code == 201
    assert cost(api)["amount"] == "14"


def test_a_reported_cost_counts_as_it_is_and_one_of_our_own_rates_is_worked_out_again(api):
    put(
        api,
        call(1, NOVEMBER, cost="0.5", cost_currency="USD"),
        call(2, NOVEMBER, cost="3", cost_currency="USD", cost_basis="rate"),
        call(3, NOVEMBER, cost="2", cost_currency="EUR"),
    )
    CostRate.objects.create(provider="openai", model="m", input_per_million=4, effective_from=OCTOBER)
    assert cost(api) == {"amount": "4.5", "currency": "USD", "unpriced_calls": 0, "other_currencies": {"EUR": "2"}}


def test_an_organizations_rates_are_its_own(api):
    other = make_api("Other")
    body = {"model": "m", "input_per_million": "10", "effective_from": "2026-10-01T00:00:00Z"}
    assert other.post("cost_rates", body).json()["scope"] == "organization"
    assert api.get("cost_rates").json()["data"] == []
    put(api, call(1, NOVEMBER))
    assert cost(api)["unpriced_calls"] == 1


def test_rates_that_make_no_sense_are_refused_with_the_reason(api):
    body = {"model": "m", "input_per_million": "10", "effective_from": "2026-10-01T00:00:00Z"}
    half = api.post("cost_rates", body | {"effective_from": "2026-10-01T00:30:00Z"})
    assert (half.status_code, half.json()["errors"][0]["code"]) == (422, "not_a_full_hour")
    assert api.post("cost_rates", {**body, "model": ""}).status_code == 422
    assert api.post("cost_rates", {"model": "m", "effective_from": body["effective_from"]}).status_code == 422
    assert api.post("cost_rates", body | {"input_per_million": "-1"}).status_code == 422
    assert api.post("cost_rates", body).status_code == 201
    assert api.post("cost_rates", body).json()["code"] == "cost_rate_exists"


@pytest.mark.django_db
def test_known_prices_are_entered_with_their_dates_and_refreshing_adds_what_is_new(capsys):
    first = refresh_known_prices()
    assert first.entered > 2_000
    gpt = CostRate.objects.get(provider="openai", model="gpt-4o", organization=None)
    assert (gpt.input_per_million, gpt.output_per_million, gpt.currency) == (Decimal("2.5"), Decimal(10), "USD")
    assert CostRate.objects.filter(provider="anthropic", model="claude-opus-4-6").count() == 2
    CostRate.objects.filter(provider="openai", model="gpt-4o").delete()
    call_command("refresh_prices")
    assert capsys.readouterr().out.startswith("1 rates entered")
    assert refresh_known_prices().entered == 0


@pytest.mark.django_db
def test_a_call_is_stamped_with_the_price_of_its_time(settings):
    settings.COMPUTE_SECOND_COST = "0.000012"
    organization = make_api("Vendor").organization
    refresh_known_prices()
    told = {"organization_id": organization.pk, "at": NOVEMBER}
    hosted = call_cost(**told, provider="openai", model="gpt-4o", input_tokens=1_000, output_tokens=100)
    assert hosted == {"cost": Decimal("0.0035"), "cost_currency": "USD", "cost_basis": "rate"}
    own = call_cost(**told, provider="taximeter", model="smollm2", hardware="cpu", compute_seconds="2.5")
    assert own == {"cost": Decimal("0.00003"), "cost_currency": "USD"}
    CostRate.objects.create(hardware="cpu", compute_second=Decimal("0.0001"), effective_from=OCTOBER)
    assert call_cost(**told, provider="taximeter", model="smollm2", hardware="cpu", compute_seconds="2.5")["cost"] == (
        Decimal("0.00025")
    )
    assert call_cost(**told, provider="vllm", model="unheard-of", input_tokens=5) == {}


def test_costs_are_reported_by_group_and_day_with_two_queries_more_than_none(api):
    CostRate.objects.create(provider="openai", model="m", input_per_million=4, effective_from=OCTOBER)
    put(
        api,
        call(1, NOVEMBER),
        call(2, NOVEMBER + timedelta(hours=5), agent="triage"),
        call(3, NOVEMBER + timedelta(days=1), provider="x", model="unheard-of"),
        call(4, NOVEMBER - timedelta(minutes=1)),
    )
    advance_task_summaries()
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
    [whole] = api.get("costs", **span).json()["data"]
    assert (whole["calls"], whole["input_tokens"]) == (3, "3000000")
    assert whole["cost"] == {"amount": "8", "currency": "USD", "unpriced_calls": 1}
    rows = api.get("costs", **span, group_by="model,agent").json()["data"]
    assert [(one["group"], one["cost"]["amount"]) for one in rows] == [
        ({"model": "m", "agent": "support"}, "4"),
        ({"model": "m", "agent": "triage"}, "4"),
        ({"model": "unheard-of", "agent": "support"}, "0"),
    ]
    days = api.get("costs", **span, window="day", customer="acme").json()["data"]
    assert [(one["day"], one["cost"]["amount"]) for one in days] == [
        ("2026-11-01T00:00:00Z", "8"), ("2026-11-02T00:00:00Z", "0"),
    ]  # fmt: skip
    assert api.get("costs", **span, agent="nobody").json()["data"] == []
    for wrong in ({"from": "2026-11-01T00:30:00Z"}, {"group_by": "mood"}, {"window": "year"}, {"to": span["from"]}):
        assert api.get("costs", **(span | wrong)).status_code == 422
    with CaptureQueriesContext(connection) as seen:
        api.get("costs", **span, group_by="model,agent,customer,provider,hardware", window="day")
    assert len(seen) <= 4
