"""Calls by hour whoever they were for, with regions; what there is of calls is summed up, its regions unknown."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Count, Q, Sum

import agents.models.fields

_NAMES = ("agent", "provider", "model", "hardware", "region", "cost_currency")
_SUMS = (
    "calls",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "compute_seconds",
    "cost",
)

MARK_FIRST = """
UPDATE agents_callusage u SET is_first = TRUE FROM (
    SELECT DISTINCT ON (organization_id, group_key) id FROM agents_callusage
    WHERE calls > 0 AND task_key IS NOT NULL ORDER BY organization_id, group_key, hour
) firsts WHERE firsts.id = u.id
"""


def sum_up(apps, schema_editor):
    from agents.domain.readings import key_of

    calls, hours = apps.get_model("agents", "CallUsage"), apps.get_model("agents", "CallHour")
    sums = {f"sum_{name}": Sum(name) for name in _SUMS} | {"tasks": Count("id", filter=Q(is_first=True))}
    rows = calls.objects.order_by().values("organization_id", "hour", *_NAMES).annotate(**sums)
    made = []
    for row in rows.iterator(5_000):
        named = {name: row[name] for name in _NAMES}
        values = {name: row[f"sum_{name}"] for name in _SUMS}
        made.append(
            hours(
                organization_id=row["organization_id"],
                kind_key=key_of(*named.values()),
                hour=row["hour"],
                tasks=row["tasks"],
                **named,
                **values,
            )
        )
        if len(made) == 5_000:
            hours.objects.bulk_create(made)
            made = []
    hours.objects.bulk_create(made)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("agents", "0002_tasks_and_costs")]

    operations = [
        migrations.CreateModel(
            name="CallHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind_key", models.UUIDField()),
                ("hour", models.DateTimeField()),
                ("agent", models.TextField(null=True)),
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
                "verbose_name_plural": "hours of calls",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "hour", "kind_key"), name="one_row_per_hour_and_kind"
                    )
                ],
            },
        ),
        migrations.AddField("callusage", "region", models.TextField(db_default="", default="")),
        migrations.AddField("callusage", "is_first", models.BooleanField(db_default=False, default=False)),
        migrations.RunSQL(MARK_FIRST, migrations.RunSQL.noop),
        migrations.RunPython(sum_up, migrations.RunPython.noop),
        migrations.AddIndex(
            "callusage", models.Index(fields=["organization", "customer", "hour"], name="calls_by_customer")
        ),
    ]
