"""From query parameters to questions; whatever is not understood is refused."""

from __future__ import annotations

from collections.abc import Mapping

from kernel.errors import InvalidError
from kernel.period import Period
from metering.contracts import UsageQuestion
from metering.directory import customer_key
from metering.models import Meter
from metering.queries.events import EventQuestion
from rest.lookup import instant_parameter
from rest.serializers import zone_named
from rest.strictness import refuse_unknown

_USAGE_PARAMETERS = {"from", "to", "window", "timezone", "customer", "group_by"}


class ParameterInvalid(InvalidError):
    code = "parameter_invalid"


def usage_question(meter: Meter, parameters: Mapping[str, str]) -> UsageQuestion:
    """`from`, `to`, `window`, `timezone`, `customer`, `group_by` and `<dimension>=value` of a usage query."""
    check_text(parameters)
    names = set(max(meter.versions.all(), key=lambda v: v.number).definition["dimensions"])
    refuse_unknown(parameters, _USAGE_PARAMETERS | names)
    start, end = instant_parameter(parameters, "from"), instant_parameter(parameters, "to")
    if start is None or end is None or start >= end:
        raise ParameterInvalid("from and to are needed, and from comes before to", code="period_invalid")
    groups = tuple(dict.fromkeys(part.strip() for part in parameters.get("group_by", "").split(",") if part.strip()))
    customer = parameters.get("customer")
    try:
        zone = zone_named(parameters.get("timezone") or "UTC")
    except ValueError as error:
        raise ParameterInvalid(str(error), code="timezone_invalid") from None
    return UsageQuestion(
        organization_id=meter.organization_id,
        meter=meter.key,
        period=Period(start, end),
        window=parameters.get("window") or "total",
        timezone=zone.key,
        customers=(customer_key(meter.organization_id, customer),) if customer else None,
        by_customer=bool(customer) or "customer" in groups,
        group_by=tuple(name for name in groups if name != "customer"),
        where={name: parameters[name] for name in parameters if name in names},
    )


def event_question(organization_id: int, parameters: Mapping[str, str]) -> EventQuestion:
    """`customer`, `type`, `agent`, `task_id`, `sent_by`, `from` and `to` of a list of events.

    A customer that does not exist (yet) is taken by the key its events name, so that they can be looked at.
    """
    check_text(parameters)
    customer = parameters.get("customer")
    if customer and customer.startswith("cus_"):
        customer = customer_key(organization_id, customer)
    return EventQuestion(
        organization_id=organization_id,
        customer=customer,
        type=parameters.get("type"),
        start=instant_parameter(parameters, "from"),
        end=instant_parameter(parameters, "to"),
        data={name: parameters[name] for name in ("agent", "task_id") if name in parameters},
        sent_by=parameters.get("sent_by"),
    )


def check_text(parameters: Mapping[str, str]) -> None:
    if any("\x00" in value for value in parameters.values()):
        raise ParameterInvalid("A parameter cannot hold the character U+0000")
