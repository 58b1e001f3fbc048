import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("billing", "0015_archive_and_migrate_plans")]

    operations = [
        migrations.CreateModel(
            name="OpenRevenue",
            fields=[
                (
                    "subscription",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="billing.subscription",
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("months", models.JSONField(default=dict)),
                ("is_stale", models.BooleanField(default=False)),
                ("priced_at", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "open revenue",
                "indexes": [
                    models.Index(fields=["organization", "is_stale", "priced_at"], name="open_revenue_by_age")
                ],
            },
        ),
        migrations.CreateModel(
            name="OpenRevenueReader",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.organization",
                    ),
                ),
                ("snapshot", models.TextField()),
            ],
        ),
    ]
