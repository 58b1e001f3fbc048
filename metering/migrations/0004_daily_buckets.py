"""Buckets of a day with its parts, instead of hourly ones. They are made anew from the log; answers are exact meanwhile."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import metering.models


class Migration(migrations.Migration):
    dependencies = [("metering", "0003_event_by_time")]

    operations = [
        migrations.DeleteModel("UsageBucket"),
        migrations.CreateModel(
            name="UsageBucket",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scope", models.SmallIntegerField(choices=[(0, "Customer"), (1, "Organization")])),
                ("subject", models.TextField(null=True)),
                ("day", models.DateTimeField()),
                ("group_hash", models.BinaryField()),
                (
                    "dimensions",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(null=True), size=None),
                ),
                ("value", models.TextField(null=True)),
                ("events", models.BigIntegerField()),
                ("quantity", metering.models.NumericField(decimal_places=200, max_digits=1000)),
                (
                    "part_starts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), size=None),
                ),
                (
                    "part_events",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "part_quantities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=metering.models.NumericField(decimal_places=200, max_digits=1000), size=None
                    ),
                ),
                (
                    "meter_version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="metering.meterversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("meter_version", "scope", "subject", "day", "group_hash"),
                        name="one_bucket_per_day_and_group",
                        nulls_distinct=False,
                    )
                ]
            },
        ),
        migrations.AddField(
            model_name="meterversion",
            name="unbounded",
            field=models.BooleanField(db_default=False, default=False),
        ),
        # Room on each page for a bucket to grow without touching its indexes.
        migrations.RunSQL("ALTER TABLE metering_usagebucket SET (fillfactor = 80)", migrations.RunSQL.noop),
        migrations.RunSQL("UPDATE metering_meterversion SET projected_to = '0'", migrations.RunSQL.noop),
    ]
