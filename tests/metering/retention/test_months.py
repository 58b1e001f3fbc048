"""When months leave the log, and the partitions that they leave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from kernel.period import Month
from metering.facade import advance_projections, attach_month, detach_month
from metering.models import UsageEvent
from metering.services.retention import MonthNotProjected, MonthOpen, keep_log
from tests.metering.retention.conftest import NOW, OCTOBER, answers, detach, event, in_log, send, snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_month_leaves_when_it_is_over_and_projected(filled: int) -> None:
    with pytest.raises(MonthOpen):
        detach_month(month=Month(2026, 11), now=NOW)
    send(filled, [event(1000, time="2026-10-05T12:00:00Z", subject="acme")])
    with pytest.raises(MonthNotProjected):
        detach()
    assert in_log(filled) == 503
    assert detach(Month(2026, 8)) is None


def test_partitions_are_made_for_near_months_only_and_go_when_empty(filled: int) -> None:
    far = [event(1000 + year, time=f"{year}-05-05T00:00:00Z") for year in (1970, 2020, 2500, 2999)]
    send(filled, far)
    partitions = set(partition_names())
    assert {"metering_usageevent_2026_10", "metering_usageevent_2026_11", "metering_usageevent_other"} <= partitions
    assert not {name for name in partitions if name[-7:-3] in {"1970", "2020", "2500", "2999"}}
    assert UsageEvent.objects.filter(organization_id=filled, time__year=2999).count() == 1
    advance_projections()
    detach()
    assert "metering_usageevent_2026_10" not in partition_names()
    attach_month(month=OCTOBER)
    assert "metering_usageevent_2026_10" in partition_names()


def partition_names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'metering_usageevent'::regclass"
        )
        return [name for (name,) in cursor.fetchall()]


def test_a_far_month_leaves_the_default_partition(filled: int) -> None:
    send(filled, [event(1000 + day, time=datetime(2001, 5, 1 + day, tzinfo=UTC)) for day in range(5)])
    advance_projections()
    before = answers(filled, snapshot())
    archive = detach(Month(2001, 5))
    assert archive is not None
    assert archive.events == 5
    assert answers(filled, snapshot()) == before


def test_the_log_keeps_as_many_months_as_it_should(filled: int) -> None:
    before = answers(filled, snapshot())
    assert keep_log(now=NOW, kept_months=0) == []
    assert [str(one.month) for one in keep_log(now=NOW, kept_months=1)] == ["2026-09-01"]
    assert [str(one.month) for one in keep_log(now=NOW + timedelta(days=31), kept_months=1)] == ["2026-10-01"]
    assert keep_log(now=NOW + timedelta(days=31), kept_months=1) == []
    assert answers(filled, snapshot()) == before
    assert {"metering_usageevent_2026_12", "metering_usageevent_2027_02"} <= set(partition_names())
