"""The tables of this room."""

import collection.models.accounts
import collection.models.calls
import collection.models.payments
import collection.models.reconciliation
import django.core.validators
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
    ]

    operations = [
        rest.create_models.CreateModels(
            models=[
                migrations.CreateModel(
                    name='CollectionPolicy',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('is_active', models.BooleanField(default=False)),
                        ('provider', models.CharField(choices=[('manual', 'Manual'), ('stripe', 'Stripe')], default='manual', max_length=10)),
                        ('charge_at', models.CharField(choices=[('finalized', 'Finalized'), ('due', 'Due')], default='finalized', max_length=10)),
                        ('reminder_days', models.JSONField(default=collection.models.accounts.default_reminders)),
                        ('retry_days', models.JSONField(default=collection.models.accounts.default_retries)),
                        ('suspend_after_days', models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MaxValueValidator(365)])),
                        ('give_up_after_days', models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MaxValueValidator(1095)])),
                        ('writes_off', models.BooleanField(default=False)),
                        ('lost_dispute', models.CharField(choices=[('reopen', 'Reopen'), ('write_off', 'Write Off')], default='reopen', max_length=10)),
                    ],
                    options={
                        'verbose_name_plural': 'collection policies',
                    },
                ),
                migrations.CreateModel(
                    name='StripeAccount',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('api_key', models.BinaryField()),
                        ('key_hint', models.CharField(max_length=20)),
                        ('is_live', models.BooleanField(default=False)),
                        ('webhook_secret', models.BinaryField(blank=True, default=bytes)),
                        ('webhook_token', models.CharField(default=collection.models.accounts.webhook_token, editable=False, max_length=64, unique=True)),
                        ('created_at', models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name='PayingCustomer',
                    fields=[
                        ('customer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='billing.customer')),
                        ('provider', models.CharField(blank=True, choices=[('manual', 'Manual'), ('stripe', 'Stripe')], max_length=10)),
                        ('stripe_customer', models.CharField(blank=True, max_length=255)),
                        ('payment_method', models.CharField(blank=True, max_length=255)),
                        ('payment_method_hint', models.CharField(blank=True, max_length=60)),
                        ('is_invoiced_at_stripe', models.BooleanField(default=False)),
                        ('deleted_at_provider', models.DateTimeField(blank=True, null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(condition=models.Q(('stripe_customer', ''), _negated=True), fields=('organization', 'stripe_customer'), name='stripe_customer_is_one_customer')],
                    },
                ),
                migrations.CreateModel(
                    name='ProviderCall',
                    fields=[
                        ('id', models.CharField(default=collection.models.calls.provider_call_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('kind', models.CharField(choices=[('customer', 'Customer'), ('charge', 'Charge'), ('refund', 'Refund'), ('usage', 'Usage')], max_length=10)),
                        ('state', models.CharField(choices=[('pending', 'Pending'), ('sending', 'Sending'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('unknown', 'Unknown')], default='pending', max_length=10)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('currency', models.CharField(blank=True, max_length=3)),
                        ('idempotency_key', models.CharField(max_length=255, unique=True)),
                        ('request', models.JSONField(default=dict)),
                        ('created_at', models.DateTimeField()),
                        ('next_try_at', models.DateTimeField(null=True)),
                        ('tries', models.IntegerField(default=0)),
                        ('first_sent_at', models.DateTimeField(null=True)),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('provider_id', models.CharField(blank=True, max_length=255)),
                        ('error_code', models.CharField(blank=True, max_length=100)),
                        ('error_detail', models.TextField(blank=True)),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.customer')),
                        ('invoice', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.invoice')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                        ('provider_payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='collection.providerpayment')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('state__in', ['pending', 'sending'])), fields=['next_try_at'], name='provider_calls_to_make'), models.Index(fields=['organization', 'state'], name='provider_calls_by_state')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'charge'), ('state__in', ['pending', 'sending', 'unknown'])), fields=('invoice',), name='one_open_charge_per_invoice')],
                    },
                ),
                migrations.CreateModel(
                    name='InvoiceCollection',
                    fields=[
                        ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='billing.invoice')),
                        ('state', models.CharField(choices=[('current', 'Current'), ('retrying', 'Retrying'), ('overdue', 'Overdue'), ('suspended', 'Suspended'), ('given_up', 'Given Up')], default='current', max_length=10)),
                        ('is_automatic', models.BooleanField(default=True)),
                        ('failed_charges', models.SmallIntegerField(default=0)),
                        ('last_failed_at', models.DateTimeField(null=True)),
                        ('last_error', models.CharField(blank=True, max_length=100)),
                        ('next_charge_at', models.DateTimeField(null=True)),
                        ('reminded_day', models.SmallIntegerField(null=True)),
                        ('overdue_at', models.DateTimeField(null=True)),
                        ('suspended_at', models.DateTimeField(null=True)),
                        ('reinstated_at', models.DateTimeField(null=True)),
                        ('given_up_at', models.DateTimeField(null=True)),
                        ('opened_at', models.DateTimeField()),
                        ('closed_at', models.DateTimeField(null=True)),
                        ('next_step_at', models.DateTimeField(null=True)),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.customer')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['-invoice'],
                        'indexes': [models.Index(condition=models.Q(('closed_at', None)), fields=['next_step_at'], name='collections_to_step'), models.Index(condition=models.Q(('closed_at', None)), fields=['organization', 'state'], name='collections_by_state'), models.Index(condition=models.Q(('closed_at', None), ('reinstated_at', None), ('suspended_at__isnull', False)), fields=['organization', 'customer'], name='collections_suspended')],
                    },
                ),
                migrations.CreateModel(
                    name='ProviderPayment',
                    fields=[
                        ('id', models.CharField(default=collection.models.payments.provider_payment_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('provider_id', models.CharField(max_length=255)),
                        ('charge_id', models.CharField(blank=True, max_length=255)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('surplus', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('currency', models.CharField(max_length=3)),
                        ('received_at', models.DateTimeField()),
                        ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='provider_payments', to='billing.invoice')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('payment', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'provider_id'), name='provider_payment_is_taken_once')],
                    },
                ),
                migrations.CreateModel(
                    name='ProviderRefund',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('provider_id', models.CharField(max_length=255)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('status', models.CharField(max_length=30)),
                        ('created_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                        ('provider_payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='collection.providerpayment')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'provider_id'), name='provider_refund_is_taken_once')],
                    },
                ),
                migrations.CreateModel(
                    name='ProviderDispute',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('provider_id', models.CharField(max_length=255)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('reason', models.CharField(blank=True, max_length=60)),
                        ('status', models.CharField(max_length=40)),
                        ('created_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                        ('provider_payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='disputes', to='collection.providerpayment')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'provider_id'), name='provider_dispute_is_taken_once')],
                    },
                ),
                migrations.CreateModel(
                    name='ProviderEvent',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('event_id', models.CharField(max_length=255)),
                        ('type', models.CharField(max_length=100)),
                        ('object_id', models.CharField(max_length=255)),
                        ('created_at', models.DateTimeField()),
                        ('received_at', models.DateTimeField()),
                        ('handled_at', models.DateTimeField(null=True)),
                        ('next_try_at', models.DateTimeField()),
                        ('tries', models.IntegerField(default=0)),
                        ('error', models.TextField(blank=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('handled_at', None)), fields=['next_try_at'], name='provider_events_to_handle')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'event_id'), name='provider_event_is_taken_once')],
                    },
                ),
                migrations.CreateModel(
                    name='BankTransfer',
                    fields=[
                        ('id', models.CharField(default=collection.models.payments.bank_transfer_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('reference', models.CharField(max_length=200)),
                        ('text', models.TextField(blank=True)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('currency', models.CharField(max_length=3)),
                        ('received_at', models.DateTimeField()),
                        ('unmatched', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('invoice', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.invoice')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'reference'), name='bank_transfer_is_noted_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Reconciliation',
                    fields=[
                        ('id', models.CharField(default=collection.models.reconciliation.reconciliation_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('provider', models.CharField(max_length=10)),
                        ('since', models.DateTimeField()),
                        ('started_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('error', models.TextField(blank=True)),
                        ('compared', models.IntegerField(default=0)),
                        ('open_differences', models.IntegerField(default=0)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(fields=['organization', '-id'], name='reconciliations_newest')],
                    },
                ),
                migrations.CreateModel(
                    name='ReconciliationDifference',
                    fields=[
                        ('id', models.CharField(default=collection.models.reconciliation.difference_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('kind', models.CharField(max_length=40)),
                        ('subject', models.CharField(max_length=255)),
                        ('here', models.CharField(blank=True, max_length=100)),
                        ('there', models.CharField(blank=True, max_length=100)),
                        ('detail', models.TextField(blank=True)),
                        ('occurred_at', models.DateTimeField()),
                        ('found_at', models.DateTimeField()),
                        ('resolved_at', models.DateTimeField(null=True)),
                        ('invoice', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.invoice')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('reconciliation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='differences', to='collection.reconciliation')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(fields=['organization', '-id'], name='differences_newest')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('organization', 'kind', 'subject'), name='a_difference_is_open_once')],
                    },
                ),
                migrations.CreateModel(
                    name='StripeMeter',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('meter', models.CharField(max_length=128)),
                        ('event_name', models.CharField(max_length=100)),
                        ('since', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'meter'), name='stripe_meter_is_mapped_once')],
                    },
                ),
                migrations.CreateModel(
                    name='UsagePush',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('start', models.DateTimeField()),
                        ('revision', models.SmallIntegerField(default=0)),
                        ('quantity', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('call', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to='collection.providercall')),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.customer')),
                        ('stripe_meter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='collection.stripemeter')),
                    ],
                    options={
                        'verbose_name_plural': 'usage pushes',
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('stripe_meter', 'customer', 'start', 'revision'), name='usage_is_pushed_once')],
                    },
                ),
            ],
        ),
    ]
