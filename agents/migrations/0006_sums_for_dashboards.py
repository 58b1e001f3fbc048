"""Calls by customer and month, and ended tasks by day: what there is of both is summed up."""

import datetime
import itertools

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Case, Count, IntegerField, Sum, When
from django.db.models.functions import TruncDay, TruncMonth

import agents.models.fields

_KIND = ("customer", "provider", "model", "hardware", "region", "cost_currency")
_SUMS = (
    "calls",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "compute_seconds",
    "cost",
)
_STEP = 5_000


def sum_up_calls(apps, schema_editor):
    from agents.domain.readings import key_of

    calls, months = apps.get_model("agents", "CallUsage"), apps.get_model("agents", "CallMonth")
    firsts = Case(When(is_first=True, then=1), default=0, output_field=IntegerField())
    sums = {f"sum_{name}": Sum(name) for name in _SUMS} | {"sum_tasks": Sum(firsts)}
    begin = TruncMonth("hour", tzinfo=datetime.UTC)
    rows = calls.objects.order_by().annotate(begin=begin).values("organization_id", "begin", *_KIND).annotate(**sums)
    _create(
        months,
        (
            {
                "organization_id": row["organization_id"],
                "month": row["begin"],
                "kind_key": key_of(*(row[name] for name in _KIND)),
                **{name: row[name] for name in _KIND},
                **{name: row[f"sum_{name}"] for name in (*_SUMS, "tasks")},
            }
            for row in rows.iterator(_STEP)
        ),
    )


def count_ended_tasks(apps, schema_editor):
    from agents.domain.readings import key_of

    tasks, days = apps.get_model("agents", "TaskSummary"), apps.get_model("agents", "EndedDay")
    ended = tasks.objects.filter(ended_at__isnull=False, is_test=False).order_by()
    named = ended.annotate(begin=TruncDay("ended_at", tzinfo=datetime.UTC))
    rows = named.values("organization_id", "begin", "agent", "outcome").annotate(count=Count("*"))
    _create(
        days,
        (
            {
                "organization_id": row["organization_id"],
                "day": row["begin"],
                "kind_key": key_of(row["agent"] or "", row["outcome"] or ""),
                "agent": row["agent"] or "",
                "outcome": row["outcome"] or "",
                "tasks": row["count"],
            }
            for row in rows.iterator(_STEP)
        ),
    )


def _create(table, rows):
    while batch := [table(**row) for row in itertools.islice(rows, _STEP)]:
        table.objects.bulk_create(batch)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("agents", "0005_days_of_calls")]

    operations = [
        migrations.CreateModel(
            name="CallMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind_key", models.UUIDField()),
                ("provider", models.TextField()),
                ("model", models.TextField()),
                ("hardware", models.TextField()),
                ("region", models.TextField()),
                ("cost_currency", models.TextField(null=True)),
                ("tasks", models.BigIntegerField(default=0)),
                ("calls", models.BigIntegerField(default=0)),
                *[
                    (name, agents.models.fields.ExactField(decimal_places=200, default=0, max_digits=1000))
                    for name in _SUMS[1:]
                ],
                ("customer", models.TextField(null=True)),
                ("month", models.DateTimeField(help_text="the midnight (UTC) it begins with")),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "months of calls",
                "indexes": [models.Index(fields=["organization", "customer", "month"], name="months_by_customer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "month", "kind_key"), name="one_row_per_month_and_kind"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EndedDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind_key", models.UUIDField()),
                ("day", models.DateTimeField(help_text="the midnight (UTC) it begins with")),
                ("agent", models.TextField()),
                ("outcome", models.TextField()),
                ("tasks", models.BigIntegerField(default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "days of ended tasks",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "day", "kind_key"), name="one_row_per_day_and_outcome"
                    )
                ],
            },
        ),
        migrations.RunPython(sum_up_calls, migrations.RunPython.noop),
        migrations.RunPython(count_ended_tasks, migrations.RunPython.noop),
    ]
