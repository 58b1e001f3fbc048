"""The tables of this room."""

import budgets.models
import django.db.models.deletion
import rest.columns
import rest.create_models
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_tables'),
        ('billing', '0001_tables'),
        ('metering', '0001_tables'),
    ]

    operations = [
        rest.create_models.CreateModels(
            models=[
                migrations.CreateModel(
                    name='Budget',
                    fields=[
                        ('id', models.CharField(default=budgets.models._budget_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('scope', models.CharField(choices=[('organization', 'Organization'), ('customer', 'Customer'), ('agent', 'Agent'), ('plan', 'Plan')], max_length=12)),
                        ('agent', models.CharField(blank=True, max_length=255)),
                        ('measure', models.CharField(choices=[('meter', 'Meter'), ('spend', 'Spend'), ('cost', 'Cost')], max_length=5)),
                        ('filter', models.JSONField(default=dict)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('currency', models.CharField(blank=True, max_length=3)),
                        ('period', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('billing_period', 'Billing Period'), ('total', 'Total')], max_length=14)),
                        ('timezone', models.CharField(default='UTC', max_length=64)),
                        ('thresholds', models.JSONField(default=list)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('removed_at', models.DateTimeField(null=True)),
                        ('customer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='billing.customer')),
                        ('meter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meter')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('plan', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='billing.plan')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('removed_at', None)), fields=('organization', 'key'), name='budget_key_unique'), models.CheckConstraint(condition=models.Q(models.Q(('currency', ''), ('measure', 'meter'), ('meter__isnull', False)), models.Q(models.Q(('measure', 'meter'), _negated=True), ('meter', None), models.Q(('currency', ''), _negated=True)), _connector='OR'), name='budget_measures_one_thing'), models.CheckConstraint(condition=models.Q(models.Q(('agent', ''), ('customer', None), ('plan', None), ('scope', 'organization')), models.Q(('agent', ''), ('customer__isnull', False), ('plan', None), ('scope', 'customer')), models.Q(('customer', None), ('plan', None), ('scope', 'agent'), models.Q(('agent', ''), _negated=True)), models.Q(('agent', ''), ('customer', None), ('plan__isnull', False), ('scope', 'plan')), _connector='OR'), name='budget_is_of_one_thing')],
                    },
                ),
                migrations.CreateModel(
                    name='Feature',
                    fields=[
                        ('id', models.CharField(default=budgets.models._feature_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('meter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meter')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='feature_key_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='Entitlement',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('limit', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('is_hard', models.BooleanField(default=True)),
                        ('period', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('billing_period', 'Billing Period'), ('total', 'Total')], default='billing_period', max_length=14)),
                        ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.planversion')),
                        ('feature', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='budgets.feature')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('plan_version', 'feature'), name='feature_once_in_a_plan_version'), models.CheckConstraint(condition=models.Q(('limit', None), ('limit__gte', 0), _connector='OR'), name='entitlement_limit_not_negative')],
                    },
                ),
                migrations.CreateModel(
                    name='RunningTotal',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('period_kind', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('billing_period', 'Billing Period'), ('total', 'Total')], max_length=14)),
                        ('period_start', models.DateTimeField(null=True)),
                        ('period_end', models.DateTimeField(null=True)),
                        ('period_found_at', models.DateTimeField(null=True)),
                        ('used', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('held', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('stop_at', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('revision', models.BigIntegerField(default=0)),
                        ('is_due', models.BooleanField(default=True)),
                        ('evaluated_at', models.DateTimeField(null=True)),
                        ('budget', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='total', to='budgets.budget')),
                        ('customer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='billing.customer')),
                        ('feature', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='budgets.feature')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('budget', None)), fields=('customer', 'feature', 'period_kind'), name='one_total_per_customer_and_feature'), models.CheckConstraint(condition=models.Q(models.Q(('budget__isnull', False), ('customer', None), ('feature', None)), models.Q(('budget', None), ('customer__isnull', False), ('feature__isnull', False)), _connector='OR'), name='total_is_of_one_thing'), models.CheckConstraint(condition=models.Q(('held__gte', 0)), name='held_not_negative')],
                    },
                ),
                migrations.CreateModel(
                    name='Crossing',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('period_start', models.DateTimeField()),
                        ('period_end', models.DateTimeField()),
                        ('percent', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('used', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('actions', models.JSONField(default=list)),
                        ('crossed_at', models.DateTimeField()),
                        ('budget', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='crossings', to='budgets.budget')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('budget', 'period_start', 'percent', 'amount'), name='one_crossing_per_period_and_threshold')],
                    },
                ),
                migrations.CreateModel(
                    name='Reservation',
                    fields=[
                        ('id', models.CharField(default=budgets.models._reservation_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('agent', models.CharField(blank=True, max_length=255)),
                        ('feature', models.CharField(blank=True, max_length=128)),
                        ('meter', models.CharField(blank=True, max_length=128)),
                        ('quantity', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('state', models.CharField(choices=[('held', 'Held'), ('committed', 'Committed'), ('settled', 'Settled'), ('released', 'Released'), ('expired', 'Expired')], default='held', max_length=9)),
                        ('events', models.JSONField(db_default=[], default=list)),
                        ('created_at', models.DateTimeField()),
                        ('expires_at', models.DateTimeField()),
                        ('ended_at', models.DateTimeField(null=True)),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.customer')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('state__in', ['held', 'committed'])), fields=['expires_at'], name='reservation_by_expiry')],
                    },
                ),
                migrations.CreateModel(
                    name='Hold',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('is_settled', models.BooleanField(db_default=False, default=False)),
                        ('log_end', models.BigIntegerField(null=True)),
                        ('reservation', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='holds', to='budgets.reservation')),
                        ('total', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='holds', to='budgets.runningtotal')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(models.F('total'), condition=models.Q(('is_settled', False)), name='hold_unsettled')],
                    },
                ),
                migrations.CreateModel(
                    name='EvaluationMark',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('position', models.CharField(max_length=200)),
                        ('snapshot', models.TextField()),
                        ('evaluated_at', models.DateTimeField()),
                    ],
                ),
            ],
        ),
    ]
