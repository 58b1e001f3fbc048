"""The shapes of what the API takes and answers about privacy."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DateField,
    DictField,
    IntegerField,
    ListField,
    Serializer,
)

from accounts.facade import PrivacyPolicy
from billing.facade import CustomerAnswer, present_customer
from privacy.contracts import Kept, Removal
from privacy.services.merging import Merge
from rest.serializers import InstantField, StrictSerializer


class KeptAnswer(Serializer[Any]):
    """Something that stays, the reason, and the last day; null where it has no end."""

    what = CharField()
    why = CharField()
    until = DateField(allow_null=True)


class RemovalAnswer(Serializer[Any]):
    """`removed` counts by kind. `is_complete` is false while text in a long history of events is still being made
    unreadable in the background."""

    customer = CustomerAnswer()
    removed = DictField(child=IntegerField())
    kept = KeptAnswer(many=True)
    beyond_reach = ListField(child=CharField())
    is_complete = BooleanField()


class PersonalField(StrictSerializer):
    """A field of usage events, such as `data.user_email`, of one type of event or of all (`*`)."""

    event_type = CharField(max_length=255, default="*")
    path = CharField(max_length=500)


class PrivacyPolicyAnswer(Serializer[Any]):
    retention_years = IntegerField()
    personal_fields = PersonalField(many=True)


class PrivacyPolicyInput(StrictSerializer):
    retention_years = IntegerField(min_value=0, max_value=30, required=False)
    personal_fields = PersonalField(many=True, required=False)


class EraseInput(StrictSerializer):
    """`cancel_first` cancels the customer's subscriptions today before it looks for what is left to settle."""

    cancel_first = BooleanField(default=False)


class AnonymizeInput(StrictSerializer):
    """Nothing is asked for."""


class MergeInput(StrictSerializer):
    """`into` is the id or key of the customer that stays. With `preview`, nothing is changed."""

    into = CharField(max_length=128)
    preview = BooleanField(default=False)


class ConflictAnswer(Serializer[Any]):
    code = CharField()
    detail = CharField()


class MergeAnswer(Serializer[Any]):
    """How many events and waiting charges go over, and what stands in the way; `is_done` is false in a preview."""

    customer = CharField()
    into = CharField()
    events = IntegerField()
    first_event_at = InstantField(allow_null=True)
    last_event_at = InstantField(allow_null=True)
    charges = IntegerField()
    conflicts = ConflictAnswer(many=True)
    is_done = BooleanField()


def present_merge(one: Merge) -> dict[str, Any]:
    return {
        "customer": one.customer.pk,
        "into": one.into.pk,
        "events": one.events,
        "first_event_at": one.first_at,
        "last_event_at": one.last_at,
        "charges": one.charges,
        "conflicts": [{"code": part.code, "detail": part.detail} for part in one.conflicts],
        "is_done": one.is_done,
    }


def present_removal(one: Removal) -> dict[str, Any]:
    return {
        "customer": present_customer(one.customer),
        "removed": dict(one.removed),
        "kept": [_kept(part) for part in one.kept],
        "beyond_reach": list(one.beyond_reach),
        "is_complete": one.is_complete,
    }


def _kept(one: Kept) -> dict[str, Any]:
    return {"what": one.what, "why": one.why, "until": one.until.isoformat() if one.until else None}


def present_policy(one: PrivacyPolicy) -> dict[str, Any]:
    return {"retention_years": one.retention_years, "personal_fields": one.personal_fields}
