from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from accounts.facade import record_audit, record_change
from kernel.errors import ConflictError
from metering.domain.meters import MeterInvalid, parse_meter
from metering.models import Meter, MeterVersion
from metering.queries.meters import forget_numeric_paths
from metering.services.protection import is_personal, protection_of, read_paths


class MeterExists(ConflictError):
    code = "meter_exists"


def create_meter(
    *, organization_id: int, key: str, name: str, definition: Mapping[str, Any], unit: str = ""
) -> MeterVersion:
    """A new meter with its first version. It counts the events that came before it too.

    `definition` is the API's JSON (`event_type`, `aggregation`, `value`, `filters`, `dimensions`).
    Raises `MeterInvalid`, or `MeterExists` for a taken key.
    """
    parsed = parse_meter(definition)
    try:
        with transaction.atomic():
            meter = Meter.objects.create(organization_id=organization_id, key=key, name=name, unit=unit)
            version = _create_version(meter, number=1, definition=parsed.to_json())
            record_audit(
                organization_id=organization_id, action="meter.create", target=key, name=name, unit=unit,
                **version.definition,
            )  # fmt: skip
            return version
    except IntegrityError:
        raise MeterExists(f"There is a meter {key!r} already") from None


def create_meter_version(*, meter: Meter, definition: Mapping[str, Any]) -> MeterVersion:
    """Change what a meter computes: a new version, counted over all of history.

    Usage answers by it at once, from the log, while its projection is built in the background. Invoices
    keep the version they were counted by. The same definition again answers the version there is.
    """
    parsed = parse_meter(definition).to_json()
    with transaction.atomic():
        Meter.objects.select_for_update().get(pk=meter.pk)
        newest = meter.versions.order_by("-number").first()
        assert newest is not None
        if newest.definition == parsed:
            return newest
        record_change(
            organization_id=meter.organization_id,
            action="meter.create_version",
            target=meter.key,
            before=newest.definition,
            after=parsed,
        )
        return _create_version(meter, number=newest.number + 1, definition=parsed)


def _create_version(meter: Meter, *, number: int, definition: dict[str, Any]) -> MeterVersion:
    tree = protection_of(meter.organization_id).tree(definition["event_type"]) or {}
    if hidden := sorted(path for path in read_paths(definition) if is_personal(tree, path)):
        raise MeterInvalid(
            f"{', '.join(hidden)} is declared personal and encrypted: a meter can group by it and count its values",
            code="field_is_personal",
        )
    version = MeterVersion.objects.create(meter=meter, number=number, definition=definition)
    forget_numeric_paths(meter.organization_id)
    transaction.on_commit(partial(forget_numeric_paths, meter.organization_id))
    return version
