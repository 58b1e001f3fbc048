"""Recognizing revenue: what was billed for days to come is earned as they go by."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F, Max, Min
from django.db.models.functions import Greatest, TruncDate

from accounts.facade import Organization
from billing.ledger.models import TransactionKind
from billing.ledger.posting import Posting, post
from billing.ledger.postings import revenue_recognized
from billing.ledger.queries import digits_of
from billing.models import DeferredRevenue, TestClock
from kernel.errors import InvalidError
from kernel.period import Month

#: Postings written in one statement.
_BATCH = 2000

#: Moves every deferral that is due to the end of a month and answers what that earns, by customer and currency. A
#: customer's month is over when it is in their time zone, by the clock they live by. What is earned is cumulative and
#: rounded once, as `billing.ledger.deferrals.earned_by` has it; numeric's round() is half away from zero too.
_RECOGNIZE = """
WITH due AS (
    SELECT d.id, d.recognized, least(d.ends_on, %(end)s) AS until, CASE
        WHEN d.ends_on <= %(end)s THEN d.amount
        ELSE round(d.amount * (%(end)s - d.starts_on) / (d.ends_on - d.starts_on),
            coalesce((%(digits)s::jsonb ->> d.currency)::int, 2)) END AS earned
    FROM billing_deferredrevenue d
    JOIN billing_customer c ON c.id = d.customer_id
    LEFT JOIN billing_testclock k ON k.id = c.test_clock_id
    WHERE d.organization_id = %(organization)s AND d.recognized_until < d.ends_on
      AND d.starts_on < %(end)s AND d.recognized_until < %(end)s AND d.booked_at < %(ends_at)s
      AND greatest(%(end)s::timestamp AT TIME ZONE c.timezone, %(ends_at)s) <= coalesce(k.now, %(now)s)
    FOR UPDATE OF d
), moved AS (
    UPDATE billing_deferredrevenue d SET recognized = due.earned, recognized_until = due.until
    FROM due WHERE d.id = due.id
    RETURNING d.id, d.customer_id, d.currency, due.earned - due.recognized AS amount
)
SELECT customer_id, currency, min(id), sum(amount) FROM moved GROUP BY customer_id, currency
HAVING sum(amount) <> 0 ORDER BY customer_id, currency
"""


class MonthNotOver(InvalidError):
    code = "month_not_over"


def recognize_revenue(*, organization: Organization, now: datetime, month: Month | None = None) -> int:
    """Post what `month` (the last one that is over, unless said otherwise), and any month before it that was not
    looked at yet, has earned of deferred revenue: one transaction a customer and currency, dated at the month's last
    instant (UTC). Answers how many were posted.

    Each month in a transaction of its own; run again, it posts nothing. Customers on test clocks may be ahead of
    `now`. Raises `MonthNotOver`.
    """
    last = last_month_over(organization, now)
    if month is not None and month > last:
        raise MonthNotOver(f"{month} is not over yet")
    posted, one = 0, _first_due(organization.pk)
    while one is not None and one <= (month or last):
        posted += _recognize_month(organization.pk, one, now)
        one = one.next()
    return posted


def last_month_over(organization: Organization, now: datetime) -> Month:
    """The last month that is over (UTC) by `now`, or by the organization's test clock that is ahead the most."""
    ahead = TestClock.objects.filter(organization=organization).aggregate(latest=Max("now"))["latest"]
    return Month.of(max(now, ahead or now), ZoneInfo("UTC")).previous()


def _first_due(organization_id: int) -> Month | None:
    """The first month in which deferred revenue may be earned that is not recognized yet."""
    waiting = DeferredRevenue.objects.filter(organization_id=organization_id, recognized_until__lt=F("ends_on"))
    first: date | None = waiting.aggregate(
        first=Min(Greatest(F("recognized_until"), TruncDate("booked_at", tzinfo=ZoneInfo("UTC"))))
    )["first"]
    return Month(first.year, first.month) if first else None


def _recognize_month(organization_id: int, month: Month, now: datetime) -> int:
    ends_at = month.period(ZoneInfo("UTC")).end
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _RECOGNIZE,
            {
                "organization": organization_id,
                "end": month.next().first_day,
                "ends_at": ends_at,
                "now": now,
                "digits": digits_of(organization_id),
            },
        )
        found = cursor.fetchall()
        posted = 0
        for start in range(0, len(found), _BATCH):
            batch = [_earned(organization_id, month, ends_at, *row) for row in found[start : start + _BATCH]]
            posted += post(batch)
        assert posted == len(found), "a deferral earns each month once"
    return posted


def _earned(
    organization_id: int, month: Month, ends_at: datetime, customer_id: str, currency: str, first: int, amount: Decimal
) -> Posting:
    return Posting(
        organization_id=organization_id,
        kind=TransactionKind.REVENUE,
        # A deferral earns a month once, so the first of them names what is posted for it.
        source=f"revenue:{month}:{first}",
        occurred_at=ends_at - timedelta(microseconds=1),
        currency=currency,
        customer_id=customer_id,
        entries=revenue_recognized(amount=amount),
    )
