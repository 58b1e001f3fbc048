"""The tables of this room."""

import django.contrib.postgres.fields
import django.db.models.deletion
import exports.models
import rest.create_models
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_tables'),
    ]

    operations = [
        rest.create_models.CreateModels(
            models=[
                migrations.CreateModel(
                    name='ExportSchedule',
                    fields=[
                        ('id', models.CharField(default=exports.models.schedule_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None)),
                        ('format', models.CharField(max_length=10)),
                        ('trigger', models.CharField(choices=[('after_close', 'After Close'), ('day', 'Day')], default='after_close', max_length=11)),
                        ('day', models.SmallIntegerField(blank=True, null=True)),
                        ('mail_to', django.contrib.postgres.fields.ArrayField(base_field=models.EmailField(max_length=254), blank=True, default=list, size=None)),
                        ('first_month', models.CharField(max_length=7)),
                        ('active', models.BooleanField(default=True)),
                        ('created_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('day', None), ('trigger', 'after_close')), models.Q(('day__gte', 1), ('day__lte', 28), ('trigger', 'day')), _connector='OR'), name='a_day_where_there_is_one')],
                    },
                ),
                migrations.CreateModel(
                    name='Export',
                    fields=[
                        ('id', models.CharField(default=exports.models.export_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None)),
                        ('format', models.CharField(max_length=10)),
                        ('month', models.CharField(max_length=7)),
                        ('customer', models.CharField(blank=True, max_length=128)),
                        ('invoice_status', models.CharField(blank=True, max_length=15)),
                        ('mail_to', django.contrib.postgres.fields.ArrayField(base_field=models.EmailField(max_length=254), blank=True, default=list, size=None)),
                        ('status', models.CharField(choices=[('queued', 'Queued'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('expired', 'Expired')], default='queued', max_length=10)),
                        ('failure_code', models.CharField(blank=True, max_length=60)),
                        ('failure_detail', models.TextField(blank=True)),
                        ('manifest', models.JSONField(default=dict)),
                        ('created_by', models.CharField(blank=True, max_length=254)),
                        ('created_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('deliver_at', models.DateTimeField(null=True)),
                        ('delivery_attempts', models.SmallIntegerField(default=0)),
                        ('delivery_problem', models.TextField(blank=True)),
                        ('delivered_at', models.DateTimeField(null=True)),
                        ('expires_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('schedule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='exports', to='exports.exportschedule')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(condition=models.Q(('status', 'queued')), fields=['created_at'], name='exports_to_work'), models.Index(condition=models.Q(('deliver_at__isnull', False)), fields=['deliver_at'], name='exports_to_deliver'), models.Index(condition=models.Q(('status', 'succeeded')), fields=['expires_at'], name='exports_to_remove')],
                        'constraints': [models.UniqueConstraint(fields=('schedule', 'month'), name='a_schedule_exports_a_month_once')],
                    },
                ),
                migrations.CreateModel(
                    name='ExportProgress',
                    fields=[
                        ('export', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='progress', serialize=False, to='exports.export')),
                        ('started_at', models.DateTimeField(null=True)),
                        ('attempts', models.SmallIntegerField(default=0)),
                        ('rows', models.BigIntegerField(default=0)),
                        ('total', models.BigIntegerField(null=True)),
                    ],
                    options={
                        'verbose_name_plural': 'progress of exports',
                    },
                ),
            ],
        ),
    ]
