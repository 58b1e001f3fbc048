"""Calls by day whoever they were for: the sums of their hours."""

import django.db.models.deletion
from django.db import migrations, models

import agents.models.fields

_SUMS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "compute_seconds",
    "cost",
)

SUM_UP = """
INSERT INTO agents_callday (organization_id, kind_key, day, agent, provider, model, hardware, region, cost_currency,
    tasks, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, compute_seconds, cost)
SELECT organization_id, kind_key, date_trunc('day', hour, 'UTC'), agent, provider, model, hardware, region,
    cost_currency, sum(tasks), sum(calls), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
    sum(output_tokens), sum(compute_seconds), sum(cost)
FROM agents_callhour GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("agents", "0004_ended_tasks")]

    operations = [
        migrations.CreateModel(
            name="CallDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind_key", models.UUIDField()),
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
                    for name in _SUMS
                ],
                ("day", models.DateTimeField(help_text="the midnight (UTC) it begins with")),
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
                "verbose_name_plural": "days of calls",
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "day", "kind_key"), name="one_row_per_day_and_kind")
                ],
            },
        ),
        migrations.RunSQL(SUM_UP, migrations.RunSQL.noop),
    ]
