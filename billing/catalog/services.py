"""Creating and changing plans, plan versions and pricing units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from accounts.facade import Organization, record_audit, record_change
from billing.catalog.models import SETTLEMENT_HOURS, Bill, PriceKind
from billing.catalog.queries import get_pricing_unit
from billing.errors import KeyTaken
from billing.models import Plan, PlanVersion, Price, PricingUnit
from billing.rating.price_terms import PriceInvalid, parse_terms
from billing.rating.pricing.flat import Flat
from billing.rating.pricing.matrix import Matrix
from billing.rating.rate import PriceTerms
from kernel.errors import FieldError, InvalidError, NotFoundError, TaximeterError
from kernel.text import require_text
from metering.facade import definition_of, get_meter_version

_TERMS = ("kind", "model", "included", "minimum", "maximum", "prorate")
_MAX_PRICES = 100

#: What all versions of a plan share.
_OF_THE_PLAN = ("interval", "interval_count", "trial_days", "trial_once_per_customer")


class PlanInvalid(InvalidError):
    """The plan cannot be used for billing; `errors` point into its prices."""

    code = "plan_invalid"


def create_plan(
    *,
    organization: Organization,
    key: str,
    name: str = "",
    currency: str,
    prices: Sequence[Mapping[str, Any]],
    interval: str = "month",
    interval_count: int = 1,
    trial_days: int = 0,
    trial_once_per_customer: bool = False,
    minimum_commitment: Decimal = Decimal(0),
    invoice_threshold: Decimal | None = None,
    settlement_hours: int = SETTLEMENT_HOURS,
    add_on: bool = False,
) -> Plan:
    """A plan with its first version. `prices` are as in the API; nothing is stored unless all can be computed.

    `minimum_commitment`, in the plan's currency, is the least a customer pays for a period. Raises
    `PlanInvalid` with a pointer to each fault, `KeyTaken`.
    """
    require_text(name, field="name")
    built = read_prices(organization.pk, prices, minimum_commitment, currency)
    terms: dict[str, Any] = {"interval": interval, "interval_count": interval_count, "trial_days": trial_days}
    terms |= {"invoice_threshold": invoice_threshold, "settlement_hours": settlement_hours}
    terms["trial_once_per_customer"] = trial_once_per_customer
    try:
        with transaction.atomic():
            plan = Plan.objects.create(organization=organization, key=key, name=name or key, add_on=add_on)
            _store_version(plan, 1, currency, terms, built)
            record_audit(organization_id=organization.pk, action="plan.create", target=key, prices=len(built))
    except IntegrityError:
        raise KeyTaken(f"There is a plan {key!r} already") from None
    return plan


def create_plan_version(
    *,
    plan: Plan,
    currency: str | None = None,
    prices: Sequence[Mapping[str, Any]],
    minimum_commitment: Decimal = Decimal(0),
    invoice_threshold: Decimal | None = None,
    settlement_hours: int | None = None,
) -> PlanVersion:
    """A new version of a plan. Subscriptions stay on the version they have; intervals and trials are the plan's, and
    so are the hours for settlement unless they are given."""
    with transaction.atomic():
        Plan.objects.select_for_update().get(pk=plan.pk)
        last = PlanVersion.objects.filter(plan=plan, customer=None).order_by("-number").first()
        assert last is not None
        built = read_prices(plan.organization_id, prices, minimum_commitment, currency or last.currency)
        terms: dict[str, Any] = {name: getattr(last, name) for name in _OF_THE_PLAN}
        terms["invoice_threshold"] = invoice_threshold
        terms["settlement_hours"] = last.settlement_hours if settlement_hours is None else settlement_hours
        made = _store_version(plan, last.number + 1, currency or last.currency, terms, built)
        record_audit(
            organization_id=plan.organization_id,
            action="plan.create_version",
            target=plan.key,
            before={"version": last.number, "prices": _written(last.prices.all())},
            after={"version": made.number, "prices": _written(built)},
        )
        return made


def _written(prices: Iterable[Price]) -> dict[str, Any]:
    return {price.key: price.model for price in prices}


def _store_version(
    plan: Plan, number: int, currency: str, terms: Mapping[str, Any], prices: list[Price]
) -> PlanVersion:
    version = PlanVersion.objects.create(plan=plan, number=number, currency=currency, **terms)
    for price in prices:
        price.plan_version = version
    Price.objects.bulk_create(prices)
    return version


def read_prices(
    organization_id: int, prices: Sequence[Mapping[str, Any]], commitment: Decimal, currency: str
) -> list[Price]:
    """Prices as in the API, not stored; raises `PlanInvalid` with a pointer to each fault."""
    errors: list[FieldError] = []
    if not 1 <= len(prices) <= _MAX_PRICES:
        errors.append(FieldError("/prices", "invalid", f"A plan has 1 to {_MAX_PRICES} prices"))
    built: list[Price] = []
    for index, body in enumerate(prices):
        try:
            built.append(_read_price(organization_id, index, body, currency))
        except TaximeterError as error:
            faults = error.errors or (FieldError("", error.code, error.detail),)
            errors += [FieldError(f"/prices/{index}{fault.pointer}", fault.code, fault.detail) for fault in faults]
    if commitment:
        built.append(_commitment(len(prices), commitment))
    keys = [price.key for price in built]
    errors += [
        FieldError("/prices", "key_taken", f"Two prices have the key {key!r}")
        for key in {k for k in keys if keys.count(k) > 1}
    ]
    if errors:
        raise PlanInvalid("; ".join(f"{e.pointer}: {e.detail}" for e in errors[:3]), errors=errors)
    return built


def _read_price(organization_id: int, index: int, body: Mapping[str, Any], currency: str) -> Price:
    unit = _pricing_unit(organization_id, body.get("pricing_unit"), currency)
    in_unit = {"pricing_unit": {"rate": format(unit.rate, "f")}} if unit else {}
    require_text(str(body.get("name") or ""), field="name")
    terms = parse_terms({name: body[name] for name in _TERMS if name in body} | in_unit)
    bill = Bill(body.get("bill", Bill.IN_ARREARS))
    if terms.kind == "usage" and bill == Bill.IN_ADVANCE:
        raise _fault("/bill", "usage_in_advance", "Usage is only known afterwards: its prices are billed in arrears")
    meter, where = body.get("meter"), body.get("filter") or {}
    version = None
    if terms.kind == "usage":
        if not meter:
            raise _fault("/meter", "required", "A usage price needs a meter")
        try:
            version = get_meter_version(organization_id=organization_id, meter=meter)
        except NotFoundError as error:
            raise _fault("/meter", error.code, error.detail) from None
        _check_dimensions(terms, where, definition_of(version).dimension_names)
    elif meter or where:
        raise _fault("/meter", "not_applicable", f"A {terms.kind} price counts no meter")
    return Price(
        position=index,
        key=body["key"],
        name=body.get("name") or body["key"],
        kind=terms.kind,
        bill=bill,
        meter=version.meter if version else None,
        filter=dict(where),
        prorate=terms.prorate,
        included=terms.included,
        minimum=terms.minimum,
        maximum=terms.maximum,
        model=terms.model.to_json(),
        pricing_unit=unit,
        unit_rate=terms.unit_rate,
        tax_rate=body.get("tax_rate"),
    )


def _pricing_unit(organization_id: int, reference: Any, currency: str) -> PricingUnit | None:
    if reference is None:
        return None
    try:
        unit = get_pricing_unit(organization_id=organization_id, unit=reference)
    except NotFoundError as error:
        raise _fault("/pricing_unit", error.code, error.detail) from None
    if unit.currency != currency:
        raise _fault("/pricing_unit", "currency_mismatch", f"{unit.name} is in {unit.currency}, the plan in {currency}")
    return unit


def _commitment(position: int, amount: Decimal) -> Price:
    """The price that a true-up line belongs to."""
    return Price(
        position=position,
        key="minimum_commitment",
        name="True-up to the minimum commitment",
        kind=PriceKind.COMMITMENT,
        model=Flat(amount).to_json(),
    )


def _check_dimensions(terms: PriceTerms, where: Mapping[str, Any], names: Sequence[str]) -> None:
    wanted = [("/filter", name) for name in where]
    if isinstance(terms.model, Matrix):
        wanted += [("/model/dimensions", name) for name in terms.model.dimensions]
    for pointer, name in wanted:
        if name not in names:
            known = ", ".join(names) or "none"
            raise _fault(pointer, "dimension_unknown", f"The meter has no dimension {name!r}; it has: {known}")
    if any(not isinstance(value, str) for value in where.values()):
        raise _fault("/filter", "invalid", "A filter gives each dimension one text")


def _fault(pointer: str, code: str, detail: str) -> PriceInvalid:
    return PriceInvalid(detail, errors=[FieldError(pointer, code, detail)])


def create_pricing_unit(
    *, organization: Organization, key: str, currency: str, rate: Decimal, name: str = ""
) -> PricingUnit:
    """A unit worth `rate` of `currency`, more than nothing. Raises `KeyTaken`."""
    try:
        with transaction.atomic():
            unit = PricingUnit.objects.create(
                organization=organization, key=key, name=name or key, currency=currency, rate=rate
            )
            record_audit(
                organization_id=organization.pk, action="pricing_unit.create", target=key, currency=currency, rate=rate
            )
    except IntegrityError:
        raise KeyTaken(f"There is a pricing unit {key!r} already") from None
    return unit


def update_pricing_unit(*, unit: PricingUnit, name: str | None = None, rate: Decimal | None = None) -> PricingUnit:
    """Another name, or another rate for the prices made from now on: those there are keep theirs."""
    before = {"name": unit.name, "rate": unit.rate}
    unit.name, unit.rate = name or unit.name, rate or unit.rate
    with transaction.atomic():
        unit.save(update_fields=["name", "rate"])
        record_change(
            organization_id=unit.organization_id,
            action="pricing_unit.update",
            target=unit.key,
            before=before,
            after={"name": unit.name, "rate": unit.rate},
        )
    return unit
