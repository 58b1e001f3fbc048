"""The tables of this room."""

import django.contrib.postgres.fields
import django.db.models.deletion
import notifications.models.mail
import notifications.models.webhooks
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
                    name='Mail',
                    fields=[
                        ('id', models.CharField(default=notifications.models.mail.mail_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('kind', models.CharField(max_length=40)),
                        ('key', models.CharField(max_length=200)),
                        ('to', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=254), size=None)),
                        ('context', models.JSONField(default=dict)),
                        ('status', models.CharField(choices=[('queued', 'Queued'), ('sent', 'Sent'), ('failed', 'Failed')], default='queued', max_length=10)),
                        ('attempts', models.SmallIntegerField(default=0)),
                        ('next_attempt_at', models.DateTimeField()),
                        ('leased_until', models.DateTimeField(null=True)),
                        ('last_error', models.CharField(blank=True, max_length=500)),
                        ('created_at', models.DateTimeField()),
                        ('sent_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(condition=models.Q(('status', 'queued')), fields=['next_attempt_at'], name='mail_due'), models.Index(fields=['organization', 'id'], name='mail_list'), models.Index(fields=['created_at'], name='mail_created')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='one_mail_per_key')],
                    },
                ),
                migrations.CreateModel(
                    name='MailSettings',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('sender_name', models.CharField(blank=True, max_length=100)),
                        ('reply_to', models.EmailField(blank=True, max_length=254)),
                        ('accent', models.CharField(blank=True, max_length=7)),
                        ('switched_off', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, size=None)),
                    ],
                    options={
                        'verbose_name_plural': 'mail settings',
                    },
                ),
                migrations.CreateModel(
                    name='SenderLease',
                    fields=[
                        ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                        ('holder', models.CharField(max_length=40)),
                        ('until', models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name='WebhookEndpoint',
                    fields=[
                        ('id', models.CharField(default=notifications.models.webhooks.webhook_endpoint_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('url', models.CharField(max_length=2000)),
                        ('description', models.CharField(blank=True, max_length=200)),
                        ('event_types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, size=None)),
                        ('enabled', models.BooleanField(default=True)),
                        ('disabled_for', models.CharField(blank=True, choices=[('by_hand', 'By Hand'), ('gone', 'Gone'), ('failing', 'Failing')], max_length=10)),
                        ('disabled_at', models.DateTimeField(blank=True, null=True)),
                        ('secret', models.CharField(max_length=400)),
                        ('previous_secret', models.CharField(blank=True, max_length=400)),
                        ('previous_secret_until', models.DateTimeField(blank=True, null=True)),
                        ('failing_since', models.DateTimeField(blank=True, null=True)),
                        ('last_delivered_at', models.DateTimeField(blank=True, null=True)),
                        ('created_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('disabled_at', None), ('disabled_for', ''), ('enabled', True)), models.Q(('disabled_at__isnull', False), ('enabled', False), models.Q(('disabled_for', ''), _negated=True)), _connector='OR'), name='disabled_endpoint_says_why')],
                    },
                ),
                migrations.CreateModel(
                    name='WebhookEvent',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('public_id', models.CharField(default=notifications.models.webhooks.webhook_event_id, editable=False, max_length=30, unique=True)),
                        ('type', models.CharField(max_length=60)),
                        ('subject', models.CharField(max_length=100)),
                        ('body', models.TextField()),
                        ('at', models.DateTimeField()),
                        ('is_distributed', models.BooleanField(default=False)),
                        ('endpoint', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='notifications.webhookendpoint')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(condition=models.Q(('is_distributed', False)), fields=['id'], name='webhook_event_new'), models.Index(fields=['at'], name='webhook_event_at')],
                    },
                ),
                migrations.CreateModel(
                    name='WebhookDelivery',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('public_id', models.CharField(default=notifications.models.webhooks.webhook_delivery_id, editable=False, max_length=30, unique=True)),
                        ('subject', models.CharField(max_length=100)),
                        ('status', models.CharField(choices=[('waiting', 'Waiting'), ('due', 'Due'), ('delivered', 'Delivered'), ('failed', 'Failed')], default='waiting', max_length=10)),
                        ('attempts', models.SmallIntegerField(default=0)),
                        ('next_attempt_at', models.DateTimeField(null=True)),
                        ('leased_until', models.DateTimeField(null=True)),
                        ('last_status_code', models.SmallIntegerField(null=True)),
                        ('last_error', models.CharField(blank=True, max_length=200)),
                        ('created_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='notifications.webhookendpoint')),
                        ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='notifications.webhookevent')),
                    ],
                    options={
                        'verbose_name_plural': 'webhook deliveries',
                        'ordering': ['-id'],
                        'indexes': [models.Index(condition=models.Q(('status', 'due')), fields=['endpoint', 'next_attempt_at'], name='webhook_due'), models.Index(condition=models.Q(('status__in', ['waiting', 'due'])), fields=['endpoint', 'subject', 'id'], name='webhook_open'), models.Index(fields=['organization', 'id'], name='webhook_delivery_list'), models.Index(fields=['organization', 'subject'], name='webhook_delivery_subject'), models.Index(fields=['finished_at'], name='webhook_delivery_finished')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'due')), fields=('endpoint', 'subject'), name='one_due_delivery_per_subject'), models.CheckConstraint(condition=models.Q(models.Q(('next_attempt_at__isnull', False), ('status', 'due')), models.Q(('status', 'due'), _negated=True), _connector='OR'), name='due_delivery_has_time')],
                    },
                ),
                migrations.CreateModel(
                    name='WebhookAttempt',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('at', models.DateTimeField()),
                        ('duration_ms', models.IntegerField()),
                        ('status_code', models.SmallIntegerField(null=True)),
                        ('error', models.CharField(blank=True, max_length=200)),
                        ('response', models.TextField(blank=True)),
                        ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attempt_log', to='notifications.webhookdelivery')),
                    ],
                    options={
                        'ordering': ['id'],
                    },
                ),
            ],
        ),
    ]
