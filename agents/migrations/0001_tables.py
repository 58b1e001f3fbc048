"""The tables of this room."""

import agents.models.catalogue
import agents.models.costs
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import rest.columns
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
                    name='Agent',
                    fields=[
                        ('id', models.CharField(default=agents.models.catalogue.agent_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('description', models.TextField(blank=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='agents', to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='agent_key_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='AgentVersion',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('version', models.CharField(max_length=64)),
                        ('definition', models.JSONField(blank=True, default=dict)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='agents.agent')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('agent', 'version'), name='agent_version_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='Provider',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('key', models.CharField(help_text='what events name in data.provider: openai, vllm', max_length=64, unique=True)),
                        ('name', models.CharField(max_length=200)),
                        ('address', models.URLField(help_text='without the /v1, such as http://gpu-1:8000')),
                        ('api_key_name', models.CharField(blank=True, help_text='the key is read from the environment variable TAXIMETER_PROVIDER_KEY_ and this', max_length=64, validators=[django.core.validators.RegexValidator('^[A-Z0-9_]+\\Z')])),
                        ('hardware', models.CharField(blank=True, help_text='the class of machine, where it is your own', max_length=64)),
                        ('has_log_probabilities', models.BooleanField(default=False, help_text='ask for the probabilities of tokens, and record those of decisions')),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                    ],
                    options={
                        'ordering': ['key'],
                    },
                ),
                migrations.CreateModel(
                    name='CostRate',
                    fields=[
                        ('id', models.CharField(default=agents.models.costs.cost_rate_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('provider', models.CharField(blank=True, max_length=128)),
                        ('model', models.CharField(blank=True, max_length=255)),
                        ('hardware', models.CharField(blank=True, max_length=128)),
                        ('currency', models.CharField(default='USD', max_length=3)),
                        ('input_per_million', rest.columns.ExactDecimalField(blank=True, decimal_places=200, max_digits=1000, null=True)),
                        ('cached_input_per_million', rest.columns.ExactDecimalField(blank=True, decimal_places=200, max_digits=1000, null=True)),
                        ('cache_write_per_million', rest.columns.ExactDecimalField(blank=True, decimal_places=200, max_digits=1000, null=True)),
                        ('output_per_million', rest.columns.ExactDecimalField(blank=True, decimal_places=200, max_digits=1000, null=True)),
                        ('compute_second', rest.columns.ExactDecimalField(blank=True, decimal_places=200, max_digits=1000, null=True)),
                        ('effective_from', models.DateTimeField()),
                        ('source', models.CharField(default='manual', help_text='who says so', max_length=100)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(fields=['model'], name='cost_rate_by_model')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'provider', 'model', 'hardware', 'effective_from'), name='one_cost_rate_at_a_time', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('provider', ''), _negated=True), models.Q(('model', ''), _negated=True), models.Q(('hardware', ''), _negated=True), _connector='OR'), name='cost_rate_of_something')],
                    },
                ),
                migrations.CreateModel(
                    name='TaskProjection',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='accounts.organization')),
                        ('xid', models.BigIntegerField(default=0)),
                        ('identity', models.UUIDField(default='00000000-0000-0000-0000-000000000000')),
                        ('is_correction', models.BooleanField(default=False)),
                    ],
                ),
                migrations.CreateModel(
                    name='TaskSummary',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('task_key', models.UUIDField()),
                        ('task_id', models.TextField()),
                        ('customer', models.TextField(null=True)),
                        ('agent', models.TextField(null=True)),
                        ('agent_version', models.TextField(null=True)),
                        ('goal', models.TextField(null=True)),
                        ('is_test', models.BooleanField(default=False)),
                        ('started_at', models.DateTimeField()),
                        ('latest_at', models.DateTimeField()),
                        ('ended_at', models.DateTimeField(null=True)),
                        ('outcome', models.TextField(null=True)),
                        ('outcome_source', models.TextField(null=True)),
                        ('turns', models.IntegerField(default=0)),
                        ('decisions', models.IntegerField(default=0)),
                        ('tool_calls', models.IntegerField(default=0)),
                        ('inference_calls', models.IntegerField(default=0)),
                        ('attempts', models.IntegerField(default=1)),
                        ('events', models.IntegerField(default=0)),
                        ('said', models.JSONField(default=dict)),
                        ('ends', models.JSONField(default=dict)),
                        ('transactions', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'task summaries',
                        'indexes': [models.Index(fields=['organization', 'started_at', 'task_key'], name='task_by_start'), models.Index(fields=['organization', 'customer', 'started_at'], name='task_by_customer'), models.Index(fields=['organization', 'agent', 'started_at'], name='task_by_agent'), models.Index(fields=['organization', 'ended_at'], include=('agent', 'customer', 'outcome', 'is_test'), name='task_by_end')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'task_key'), name='one_summary_per_task')],
                    },
                ),
                migrations.CreateModel(
                    name='CallUsage',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('group_key', models.UUIDField()),
                        ('hour', models.DateTimeField()),
                        ('task_key', models.UUIDField(null=True)),
                        ('customer', models.TextField(null=True)),
                        ('agent', models.TextField(null=True)),
                        ('provider', models.TextField()),
                        ('model', models.TextField()),
                        ('hardware', models.TextField()),
                        ('region', models.TextField(db_default='', default='')),
                        ('cost_currency', models.TextField(null=True)),
                        ('is_first', models.BooleanField(db_default=False, default=False)),
                        ('calls', models.BigIntegerField(default=0)),
                        ('input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cached_input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cache_write_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('output_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('compute_seconds', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cost', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'usage of calls',
                        'indexes': [models.Index(fields=['organization', 'task_key'], name='calls_of_task'), models.Index(fields=['organization', 'hour'], name='calls_by_hour'), models.Index(fields=['organization', 'customer', 'hour'], name='calls_by_customer')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'group_key', 'hour'), name='one_row_per_hour_and_group')],
                    },
                ),
                migrations.CreateModel(
                    name='EndedDay',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind_key', models.UUIDField()),
                        ('day', models.DateTimeField(help_text='the midnight (UTC) it begins with')),
                        ('agent', models.TextField()),
                        ('outcome', models.TextField()),
                        ('tasks', models.BigIntegerField(default=0)),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'days of ended tasks',
                        'constraints': [models.UniqueConstraint(fields=('organization', 'day', 'kind_key'), name='one_row_per_day_and_outcome')],
                    },
                ),
                migrations.CreateModel(
                    name='CallHour',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind_key', models.UUIDField()),
                        ('provider', models.TextField()),
                        ('model', models.TextField()),
                        ('hardware', models.TextField()),
                        ('region', models.TextField()),
                        ('cost_currency', models.TextField(null=True)),
                        ('tasks', models.BigIntegerField(default=0)),
                        ('calls', models.BigIntegerField(default=0)),
                        ('input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cached_input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cache_write_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('output_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('compute_seconds', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cost', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('agent', models.TextField(null=True)),
                        ('hour', models.DateTimeField()),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'hours of calls',
                        'constraints': [models.UniqueConstraint(fields=('organization', 'hour', 'kind_key'), name='one_row_per_hour_and_kind')],
                    },
                ),
                migrations.CreateModel(
                    name='CallDay',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind_key', models.UUIDField()),
                        ('provider', models.TextField()),
                        ('model', models.TextField()),
                        ('hardware', models.TextField()),
                        ('region', models.TextField()),
                        ('cost_currency', models.TextField(null=True)),
                        ('tasks', models.BigIntegerField(default=0)),
                        ('calls', models.BigIntegerField(default=0)),
                        ('input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cached_input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cache_write_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('output_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('compute_seconds', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cost', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('agent', models.TextField(null=True)),
                        ('day', models.DateTimeField(help_text='the midnight (UTC) it begins with')),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'days of calls',
                        'constraints': [models.UniqueConstraint(fields=('organization', 'day', 'kind_key'), name='one_row_per_day_and_kind')],
                    },
                ),
                migrations.CreateModel(
                    name='CallMonth',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind_key', models.UUIDField()),
                        ('provider', models.TextField()),
                        ('model', models.TextField()),
                        ('hardware', models.TextField()),
                        ('region', models.TextField()),
                        ('cost_currency', models.TextField(null=True)),
                        ('tasks', models.BigIntegerField(default=0)),
                        ('calls', models.BigIntegerField(default=0)),
                        ('input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cached_input_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cache_write_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('output_tokens', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('compute_seconds', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('cost', rest.columns.ExactDecimalField(decimal_places=200, default=0, max_digits=1000)),
                        ('customer', models.TextField(null=True)),
                        ('month', models.DateTimeField(help_text='the midnight (UTC) it begins with')),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'months of calls',
                        'indexes': [models.Index(fields=['organization', 'customer', 'month'], name='months_by_customer')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'month', 'kind_key'), name='one_row_per_month_and_kind')],
                    },
                ),
                migrations.CreateModel(
                    name='Task',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('task_id', models.CharField(max_length=200)),
                        ('customer', models.CharField(max_length=255)),
                        ('input', models.JSONField(default=dict)),
                        ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('ended', 'Ended')], default='queued', max_length=10)),
                        ('outcome', models.CharField(blank=True, max_length=20)),
                        ('problem', models.CharField(blank=True, help_text="why it ended without the agent's doing", max_length=200)),
                        ('due_at', models.DateTimeField(help_text='not to be worked before')),
                        ('created_at', models.DateTimeField()),
                        ('ended_at', models.DateTimeField(null=True)),
                        ('agent_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='agents.agentversion')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('state__in', ['queued', 'running'])), fields=['due_at'], name='task_due')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'task_id'), name='task_id_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='TaskAttempt',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('number', models.SmallIntegerField()),
                        ('state', models.CharField(choices=[('running', 'Running'), ('finished', 'Finished'), ('discarded', 'Discarded')], default='running', max_length=10)),
                        ('problem', models.CharField(blank=True, max_length=200)),
                        ('events', models.JSONField(default=list)),
                        ('started_at', models.DateTimeField()),
                        ('ended_at', models.DateTimeField(null=True)),
                        ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempts', to='agents.task')),
                    ],
                    options={
                        'ordering': ['number'],
                        'constraints': [models.UniqueConstraint(fields=('task', 'number'), name='attempt_number_unique')],
                    },
                ),
            ],
        ),
    ]
