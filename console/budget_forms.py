"""Budgets as people fill them in: thresholds are lines of text, so that a form says all that the API can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django import forms

from billing.facade import plans_of
from budgets.facade import Measure, PeriodKind, Scope
from console.forms import CustomerInput, ExactField, KeyField, PlainForm
from console.plan_draft import pairs
from kernel.errors import InvalidError
from metering.facade import meters_of
from rest.serializers import zone_named

_ACTIONS = ("mail", "webhook", "stop")
SCOPES: dict[str, str] = {
    Scope.ORGANIZATION: "Everything",
    Scope.CUSTOMER: "A customer",
    Scope.AGENT: "An agent",
    Scope.PLAN: "The customers of a plan",
}
_MEASURES = {
    Measure.METER: "Usage of a meter",
    Measure.SPEND: "What customers are charged",
    Measure.COST: "What the work costs",
}
_PERIODS = {
    PeriodKind.DAY: "Day",
    PeriodKind.WEEK: "Week",
    PeriodKind.MONTH: "Month",
    PeriodKind.BILLING_PERIOD: "The customer's billing period",
    PeriodKind.TOTAL: "No period: all in all",
}
FIRST_THRESHOLDS = "80 mail\n100 mail stop"


class _ThresholdsField(forms.CharField):
    """Lines such as `80 mail webhook ops@example.com`; its value is thresholds as in the API."""

    def __init__(self) -> None:
        super().__init__(
            max_length=4000,
            widget=forms.Textarea({"rows": 4, "spellcheck": "false", "class": "mono"}),
            help_text="One a line: the percent, what happens then (mail, webhook, stop), and whom mail goes to. Without"
            " addresses it goes to owners, admins and finance.",
        )

    def clean(self, value: Any) -> list[dict[str, Any]]:
        text: str = super().clean(value)
        return [_threshold(line.replace(",", " ").split()) for line in text.splitlines() if line.strip()]


def _threshold(words: list[str]) -> dict[str, Any]:
    percent, *rest = words
    return {
        "percent": percent.removesuffix("%"),
        "actions": [word for word in rest if word in _ACTIONS],
        "recipients": [word for word in rest if word not in _ACTIONS and word != "%"],
    }


def written(thresholds: Iterable[Mapping[str, Any]]) -> str:
    """Thresholds as their field shows them."""
    return "\n".join(" ".join([one["percent"], *one["actions"], *one["recipients"]]) for one in thresholds)


class BudgetChangeForm(PlainForm):
    name = forms.CharField(max_length=200)
    amount = ExactField(label="Amount or quantity", low=Decimal(0))
    thresholds = _ThresholdsField()


class BudgetForm(PlainForm):
    shown_where = {
        "customer": ("scope", (Scope.CUSTOMER,)),
        "agent": ("scope", (Scope.AGENT,)),
        "plan": ("scope", (Scope.PLAN,)),
        "meter": ("measure", (Measure.METER,)),
        "filter": ("measure", (Measure.METER,)),
        "currency": ("measure", (Measure.SPEND, Measure.COST)),
    }

    name = forms.CharField(max_length=200)
    key = KeyField()
    scope = forms.ChoiceField(label="Of", choices=list(SCOPES.items()))
    customer = forms.CharField(
        max_length=128, required=False, help_text="Its key, for a budget of a customer.", widget=CustomerInput
    )
    agent = forms.CharField(max_length=255, required=False, help_text="Its key, for a budget of an agent.")
    plan = forms.ChoiceField(required=False)
    measure = forms.ChoiceField(label="On", choices=list(_MEASURES.items()))
    meter = forms.ChoiceField(required=False)
    filter = forms.CharField(
        label="Only where", max_length=500, required=False, help_text="Dimensions of the meter, such as model=large."
    )
    amount = ExactField(label="Amount or quantity", low=Decimal(0))
    currency = forms.CharField(
        max_length=3, required=False, help_text="For money: the customer's, or USD, unless it says otherwise."
    )
    period = forms.ChoiceField(
        label="In each", choices=list(_PERIODS.items()), initial="month",
        help_text="What customers are charged is known by their billing period, or by the month for several of them.",
    )  # fmt: skip
    timezone = forms.CharField(label="Time zone", max_length=64, help_text="In which days, weeks and months begin.")
    thresholds = _ThresholdsField()

    def __init__(self, *args: Any, organization_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plans = [(one.key, one.name) for one in plans_of(organization_id)]
        meters = [(one.key, one.name) for one in meters_of(organization_id)]
        for name, choices in (("plan", plans), ("meter", meters)):
            field: Any = self.fields[name]
            field.choices = [("", "None"), *choices]

    def clean_timezone(self) -> str:
        try:
            return zone_named(self.cleaned_data["timezone"]).key
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


def budget_fields(said: Mapping[str, Any]) -> dict[str, Any]:
    """What `create_budget` takes, from what was filled in. Raises `InvalidError` where no meter was chosen, and
    for dimensions where none is."""
    fields = {name: said[name] for name in ("name", "key", "scope", "amount", "period", "timezone", "thresholds")}
    fields |= {name: said[name] or None for name in ("customer", "agent", "plan", "currency")}
    if fields["currency"]:
        fields["currency"] = fields["currency"].upper()
    if said["measure"] != Measure.METER:
        if said["filter"]:
            raise InvalidError("Only usage of a meter is counted by dimensions", code="filter_not_allowed")
        return fields | {"measure": {"money": said["measure"]}}
    if not said["meter"]:
        raise InvalidError("Choose the meter whose usage it is on", code="meter_missing")
    return fields | {"measure": {"meter": said["meter"], "filter": pairs(said["filter"])}}
