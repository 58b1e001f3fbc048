"""Making a plan, and the next version of one, with a preview of what customers would pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from billing.contracts import PlanInput, PlanInvalid, PlanVersionInput, pricing_units_of, read_prices
from billing.facade import (
    Plan,
    PlanVersion,
    Price,
    create_plan,
    create_plan_version,
    get_plan,
    newest_version,
    plans_of,
)
from console.access import page
from console.forms import Done, do_once, token_of
from console.plan_draft import (
    MODELS_OF,
    VERSION_FIELDS,
    PlanDraft,
    draft_of,
    empty_draft,
    fault_names,
    faults_in_words,
    read_draft,
)
from console.queries.curves import Curved, draw, meters_of_all, named
from console.views.plans import other_usage, read_view
from console.wording import MODEL_NAMES
from kernel.errors import FieldError, InvalidError, TaximeterError
from metering.facade import current_versions, definition_of
from rest.access import Permission

_FORM = ("GET", "HEAD", "POST")


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def new_plan(request: Any) -> HttpResponseBase:
    """The editor of a new plan; `?from=` begins with the prices of another."""
    organization = request.access.organization

    def store(body: dict[str, Any]) -> Done:
        made = create_plan(organization=organization, **_checked(PlanInput, body))
        return Done(reverse("console:plan", args=[made.key]), f"{made.name} is made.")

    draft = empty_draft()
    if copied := request.GET.get("from"):
        draft = draft_of(newest_version(get_plan(organization_id=organization.pk, plan=copied)))
        draft.fields |= {"key": "", "name": ""}
    return _editor(request, draft, store, names=None, plan=None)


@page(may=Permission.MOVE_MONEY, methods=_FORM)
def new_version(request: Any, plan: str) -> HttpResponseBase:
    found = get_plan(organization_id=request.access.organization.pk, plan=plan)
    last = newest_version(found)

    def store(body: dict[str, Any]) -> Done:
        made = create_plan_version(plan=found, **_checked(PlanVersionInput, body))
        where = reverse("console:plan", args=[found.key])
        return Done(where, f"Version {made.number} of {found.name} is made. New subscriptions get it.")

    return _editor(request, draft_of(last), store, names=VERSION_FIELDS, plan=found)


def _editor(
    request: Any, draft: PlanDraft, store: Any, *, names: Sequence[str] | None, plan: Plan | None
) -> HttpResponseBase:
    faults: dict[str, list[str]] = {}
    if request.method == "POST":
        fixed = draft.fields
        draft = read_draft(request.POST)
        if names is not None:
            draft.fields = fixed | {name: draft.fields[name] for name in names}
        if (what := request.POST.get("do", "save")) == "save":
            body = draft.body() if names is None else draft.body(names)
            try:
                return do_once(request, lambda: store(body))
            except TaximeterError as error:
                faults = fault_names(error.errors) if error.errors else {_field_of(error): [error.detail]}
        else:
            draft.edit(what)
    draft.tidy()
    context = {
        "draft": draft,
        "faults": faults,
        "plan": plan,
        "form_token": token_of(request),
        "edited": request.method == "POST" and not faults,
        **_choices(request, draft),
        **_preview(request, draft, plan),
    }
    return render(request, "console/plan_editor.html", context, status=422 if faults else 200)


def _field_of(error: TaximeterError) -> str:
    return "key" if error.code == "key_taken" else ""


@page(may=Permission.MOVE_MONEY, methods=("POST",))
def preview(request: Any) -> HttpResponseBase:
    """What the plan in the editor comes to: the figure alone, for the page that asks while somebody types."""
    draft = read_draft(request.POST)
    draft.tidy()
    plan = None
    if key := request.POST.get("plan"):
        plan = get_plan(organization_id=request.access.organization.pk, plan=key)
    return render(request, "console/_plan_preview.html", _preview(request, draft, plan))


def _preview(request: Any, draft: PlanDraft, plan: Plan | None) -> dict[str, Any]:
    organization_id, asked = request.access.organization.pk, request.POST
    currency = draft.fields.get("currency") or "USD"
    context: dict[str, Any] = {"others": _others(request, currency), "with": asked.getlist("view-with")[:5]}
    try:
        found = [Curved("This draft", _prices(organization_id, draft, currency))]
        versions = [one for one in context["others"] if one.pk in context["with"]]
        found += [Curved(f"{one.plan.name} v{one.number}", list(one.prices.all())) for one in versions]
        view = read_view(asked, found, "view-")
        if view is None:
            return context | {"without_usage": True}
        curves = draw(found, view, currency=currency)
    except TaximeterError as error:
        return context | {"curve_refused": faults_in_words(draft, error.errors) or error.detail}
    return context | {
        "curves": curves,
        "curve_meters": named(found, meters_of_all(found)),
        "other_usage": other_usage(view, found),
    }


def _prices(organization_id: int, draft: PlanDraft, currency: str) -> list[Price]:
    """The draft's prices as they would be stored."""
    body = draft.body()
    commitment = body.get("minimum_commitment") or "0"
    try:
        amount = Decimal(commitment)
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < Decimal(10) ** 18:
        raise InvalidError("The commitment is no amount", code="plan_invalid")
    prices = [{**price, "key": price["key"] or f"row-{i}"} for i, price in enumerate(body["prices"], start=1)]
    for price in prices:
        price.pop("tax_rate", None)  # what is drawn is before tax
    return read_prices(organization_id, prices, amount, currency)


def _others(request: Any, currency: str) -> list[PlanVersion]:
    """Newest versions to compare with."""
    plans = plans_of(request.access.organization.pk).filter(archived_at=None).order_by("name", "id")[:100]
    return [version for plan in plans if (version := newest_version(plan)).currency == currency]


def _choices(request: Any, draft: PlanDraft) -> dict[str, Any]:
    organization_id = request.access.organization.pk
    meters = [
        (version.meter, definition_of(version).dimension_names)
        for version in current_versions()
        .filter(meter__organization_id=organization_id)
        .select_related("meter")
        .order_by("meter__name", "meter_id")[:1000]
    ]
    units = list(pricing_units_of(organization_id))
    return {
        "meters": meters,
        "units": units,
        "unit_choices": [("", draft.fields.get("currency") or "money"), *((one.key, one.name) for one in units)],
        "kinds": [("usage", "Usage of a meter"), ("fixed", "A fixed fee"), ("seat", "Seats")],
        "bills": [("in_arrears", "in arrears"), ("in_advance", "in advance")],
        "intervals": ("day", "week", "month", "quarter", "year"),
        "models": {kind: [(one, MODEL_NAMES[one]) for one in models] for kind, models in MODELS_OF.items()},
    }


def _checked(serializer: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the API's own rules make of a body; `PlanInvalid` with pointers for what they refuse."""
    given = serializer(data=body)
    try:
        given.is_valid(raise_exception=True)
    except ValidationError as error:
        faults = list(_faults(error.detail, ""))
        raise PlanInvalid(faults[0].detail, errors=faults) from None
    found: dict[str, Any] = given.validated_data
    return found


def _faults(detail: Any, pointer: str) -> Any:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _faults(inner, f"{pointer}/{name}")
    elif isinstance(detail, list) and any(isinstance(one, dict | list) for one in detail):
        for index, inner in enumerate(detail):
            yield from _faults(inner, f"{pointer}/{index}")
    else:
        for text in detail if isinstance(detail, list) else [detail]:
            yield FieldError(pointer, getattr(text, "code", "invalid"), str(text))
