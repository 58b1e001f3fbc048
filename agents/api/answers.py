"""The shapes of answers for the API's description; `present` fills them."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import BooleanField, CharField, DictField, IntegerField, ListField, Serializer

from rest.serializers import DecimalField, InstantField, Shape


class AgentVersion(Serializer[Any]):
    version = CharField()
    definition = DictField(allow_null=True)
    created_at = InstantField()


class Agent(Serializer[Any]):
    id = CharField()
    key = CharField()
    name = CharField()
    description = CharField()
    versions = AgentVersion(many=True)
    created_at = InstantField()


class Cost(Serializer[Any]):
    """`unpriced_calls` have no rate and no reported cost: with any, the amount is not all."""

    amount = DecimalField()
    currency = CharField()
    unpriced_calls = IntegerField()
    other_currencies = DictField(required=False)


class CostRow(Serializer[Any]):
    day = InstantField(required=False)
    group = DictField(required=False)
    calls = IntegerField()
    input_tokens = DecimalField()
    cached_input_tokens = DecimalField()
    cache_write_tokens = DecimalField()
    output_tokens = DecimalField()
    compute_seconds = DecimalField()
    cost = Cost()


class CostReport(Shape):
    to = InstantField()
    data = CostRow(many=True)

    def get_fields(self) -> Any:
        # "from" cannot be the name of an attribute.
        return {"from": InstantField(), **super().get_fields()}


class TaskSummary(Serializer[Any]):
    id = CharField()
    customer = CharField(allow_null=True)
    agent = CharField(allow_null=True)
    agent_version = CharField(allow_null=True)
    goal = CharField(allow_null=True)
    is_test = BooleanField()
    started_at = InstantField()
    ended_at = InstantField(allow_null=True)
    outcome = CharField(allow_null=True)
    outcome_source = CharField(allow_null=True)
    attempts = IntegerField()
    turns = IntegerField()
    decisions = IntegerField()
    tool_calls = IntegerField()
    inference_calls = IntegerField()
    events = IntegerField()
    input_tokens = DecimalField()
    cached_input_tokens = DecimalField()
    output_tokens = DecimalField()
    compute_seconds = DecimalField()
    cost = Cost()
    charge = DictField(allow_null=True)
    margin = DictField(allow_null=True)


class Task(TaskSummary):
    """`tree` holds turns and, in each, inference calls, decisions and tool calls, with sums of tokens and cost."""

    outcomes = ListField(child=DictField())
    is_cut = BooleanField()
    run = DictField(allow_null=True)
    tree = ListField(child=DictField())


class QueuedTask(Serializer[Any]):
    id = CharField()
    agent = CharField()
    agent_version = CharField()
    customer = CharField()
    state = CharField()
    outcome = CharField(allow_null=True)
    problem = CharField(allow_null=True)
    attempts = ListField(child=DictField())
    created_at = InstantField()
    ended_at = InstantField(allow_null=True)


class Outcome(Serializer[Any]):
    """`settled` is whether the settlement window was over; a change is then an adjustment of a closed period."""

    id = CharField()
    outcome = CharField()
    previous_outcome = CharField(allow_null=True)
    changed = BooleanField()
    settled = BooleanField()


class CostRate(Shape):
    id = CharField()
    scope = CharField()
    provider = CharField(allow_null=True)
    model = CharField(allow_null=True)
    hardware = CharField(allow_null=True)
    currency = CharField()
    input_per_million = DecimalField(allow_null=True)
    cached_input_per_million = DecimalField(allow_null=True)
    cache_write_per_million = DecimalField(allow_null=True)
    output_per_million = DecimalField(allow_null=True)
    compute_second = DecimalField(allow_null=True)
    effective_from = InstantField()
    source = CharField()
    created_at = InstantField()
