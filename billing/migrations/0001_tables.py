"""The tables of this room, and what the database itself enforces."""

import billing.catalog.models
import billing.credits.models
import billing.customers.models
import billing.invoicing.models
import billing.ledger.models
import billing.payments.models
import billing.rating.taxes
import billing.subscriptions.models
import billing.test_clocks.models
import datetime
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import rest.columns
import rest.create_models
from decimal import Decimal
from django.db import migrations, models


# A finalized invoice never changes.
INVOICES = """
CREATE FUNCTION billing_guard_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    movable text[] := ARRAY['status', 'paid_at', 'voided_at', 'amount_due', 'billing_run_id'];
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.status = 'draft' OR to_jsonb(OLD) - movable <> to_jsonb(NEW) - movable THEN
        RAISE EXCEPTION 'invoice % is finalized and never changes; issue a credit note', OLD.number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_finalized_invoices_never_change BEFORE UPDATE OR DELETE ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_guard_invoice();

CREATE FUNCTION billing_guard_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched text := CASE WHEN TG_OP = 'INSERT' THEN NEW.invoice_id ELSE OLD.invoice_id END;
BEGIN
    IF EXISTS (SELECT FROM billing_invoice WHERE id = touched AND status <> 'draft') THEN
        RAISE EXCEPTION 'the lines of a finalized invoice never change; issue a credit note'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER billing_finalized_lines_never_change BEFORE INSERT OR UPDATE OR DELETE ON billing_invoiceline
    FOR EACH ROW EXECUTE FUNCTION billing_guard_invoice_line();
"""

# Checks of the books by the database itself.
BOOKS = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER billing_ledger_transactions_never_change BEFORE UPDATE OR DELETE ON billing_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_ledger_entries_never_change BEFORE UPDATE OR DELETE ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_payments_never_change BEFORE UPDATE OR DELETE ON billing_payment
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_credit_notes_never_change BEFORE UPDATE OR DELETE ON billing_creditnote
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_credit_note_lines_never_change BEFORE UPDATE OR DELETE ON billing_creditnoteline
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

-- What one statement adds to a transaction is balanced in itself, so that no later one can tip it.
CREATE FUNCTION billing_check_new_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced text := (
        SELECT transaction_id FROM fresh GROUP BY transaction_id HAVING sum(amount) <> 0 LIMIT 1);
BEGIN
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'the entries of ledger transaction % do not balance', unbalanced
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER billing_new_ledger_entries_balance AFTER INSERT ON billing_ledgerentry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION billing_check_new_entries();

-- And at commit every new transaction has entries, which sum to zero.
CREATE FUNCTION billing_check_ledger_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entries int;
    balance numeric;
BEGIN
    SELECT count(*), sum(amount) INTO entries, balance FROM billing_ledgerentry WHERE transaction_id = NEW.id;
    IF entries < 2 OR balance <> 0 THEN
        RAISE EXCEPTION 'ledger transaction % has % entries that sum to %', NEW.id, entries, balance
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_ledger_transactions_balance AFTER INSERT ON billing_ledgertransaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_ledger_transaction();

CREATE FUNCTION billing_guard_deferred_revenue() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    movable text[] := ARRAY['recognized', 'recognized_until'];
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - movable <> to_jsonb(NEW) - movable
            OR NEW.recognized_until < OLD.recognized_until THEN
        RAISE EXCEPTION 'deferred revenue is recognized forward, and nothing else of it changes'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_deferred_revenue_moves_forward BEFORE UPDATE OR DELETE ON billing_deferredrevenue
    FOR EACH ROW EXECUTE FUNCTION billing_guard_deferred_revenue();

CREATE FUNCTION billing_check_credit_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    note text := CASE TG_TABLE_NAME WHEN 'billing_creditnote' THEN to_jsonb(NEW) ->> 'id'
        ELSE to_jsonb(NEW) ->> 'credit_note_id' END;
BEGIN
    IF EXISTS (
        SELECT FROM billing_creditnote n LEFT JOIN billing_creditnoteline l ON l.credit_note_id = n.id
        WHERE n.id = note GROUP BY n.id
        HAVING coalesce(sum(l.amount), 0) <> n.subtotal OR coalesce(sum(l.tax), 0) <> n.tax
    ) THEN
        RAISE EXCEPTION 'credit note % is not the sum of its lines', note
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_credit_notes_are_their_lines AFTER INSERT ON billing_creditnote
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_credit_note();
CREATE CONSTRAINT TRIGGER billing_credit_note_lines_add_up AFTER INSERT ON billing_creditnoteline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_credit_note();
"""

# What documents were issued with never changes.
SELLERS = """
CREATE FUNCTION billing_guard_sellers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what documents were issued with never changes' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER billing_seller_profiles_never_change BEFORE UPDATE ON billing_sellerprofile
    FOR EACH ROW EXECUTE FUNCTION billing_guard_sellers();
CREATE TRIGGER billing_invoice_identities_never_change BEFORE UPDATE ON billing_invoiceidentity
    FOR EACH ROW EXECUTE FUNCTION billing_guard_sellers();
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_tables'),
        ('metering', '0001_tables'),
    ]

    operations = [
        rest.create_models.CreateModels(
            models=[
                migrations.CreateModel(
                    name='PricingUnit',
                    fields=[
                        ('id', models.CharField(default=billing.catalog.models.pricing_unit_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('currency', models.CharField(max_length=3)),
                        ('rate', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='pricing_unit_key_unique'), models.CheckConstraint(condition=models.Q(('rate__gt', 0)), name='pricing_unit_is_worth_something')],
                    },
                ),
                migrations.CreateModel(
                    name='Plan',
                    fields=[
                        ('id', models.CharField(default=billing.catalog.models.plan_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('add_on', models.BooleanField(default=False)),
                        ('archived_at', models.DateTimeField(null=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='plan_key_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='PlanVersion',
                    fields=[
                        ('id', models.CharField(default=billing.catalog.models.plan_version_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('number', models.IntegerField(default=1)),
                        ('currency', models.CharField(max_length=3)),
                        ('interval', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('quarter', 'Quarter'), ('year', 'Year')], default='month', max_length=10)),
                        ('interval_count', models.SmallIntegerField(default=1)),
                        ('trial_days', models.SmallIntegerField(default=0)),
                        ('trial_once_per_customer', models.BooleanField(default=False)),
                        ('invoice_threshold', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('settlement_hours', models.PositiveIntegerField(default=72)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('based_on', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                        ('customer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='own_versions', to='billing.customer')),
                        ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='billing.plan')),
                    ],
                    options={
                        'ordering': ['number'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('customer', None)), fields=('plan', 'number'), name='plan_version_number_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='Price',
                    fields=[
                        ('id', models.CharField(default=billing.catalog.models.price_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('position', models.SmallIntegerField()),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('kind', models.CharField(choices=[('fixed', 'Fixed'), ('seat', 'Seat'), ('usage', 'Usage'), ('commitment', 'Commitment')], max_length=10)),
                        ('bill', models.CharField(choices=[('in_advance', 'In Advance'), ('in_arrears', 'In Arrears')], default='in_arrears', max_length=10)),
                        ('filter', models.JSONField(default=dict)),
                        ('prorate', models.BooleanField(default=True)),
                        ('included', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('minimum', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('maximum', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('model', models.JSONField()),
                        ('unit_rate', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('tax_rate', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('meter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meter')),
                        ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prices', to='billing.planversion')),
                        ('pricing_unit', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.pricingunit')),
                    ],
                    options={
                        'ordering': ['position'],
                        'constraints': [models.UniqueConstraint(fields=('plan_version', 'key'), name='price_key_unique_in_version'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'usage'), ('meter__isnull', False)), models.Q(models.Q(('kind', 'usage'), _negated=True), ('meter', None)), _connector='OR'), name='usage_prices_have_a_meter'), models.CheckConstraint(condition=models.Q(('bill', 'in_arrears'), ('kind__in', ['fixed', 'seat']), _connector='OR'), name='only_fees_are_billed_in_advance')],
                    },
                ),
                migrations.CreateModel(
                    name='PlanMigration',
                    fields=[
                        ('id', models.CharField(default=billing.catalog.models.plan_migration_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('when', models.CharField(max_length=10)),
                        ('actor', models.CharField(max_length=254)),
                        ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed')], default='queued', max_length=10)),
                        ('total', models.IntegerField(default=0)),
                        ('moved', models.IntegerField(default=0)),
                        ('problems', models.JSONField(default=list)),
                        ('created_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='migrations', to='billing.plan')),
                        ('to_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.planversion')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['queued', 'running'])), fields=('plan',), name='one_active_migration_per_plan')],
                    },
                ),
                migrations.CreateModel(
                    name='TestClock',
                    fields=[
                        ('id', models.CharField(default=billing.test_clocks.models.test_clock_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('now', models.DateTimeField()),
                        ('problems', models.JSONField(default=list, editable=False)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                    },
                ),
                migrations.CreateModel(
                    name='Customer',
                    fields=[
                        ('id', models.CharField(default=billing.customers.models.customer_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('email', models.EmailField(blank=True, max_length=254)),
                        ('currency', models.CharField(default='USD', max_length=3)),
                        ('timezone', models.CharField(default='UTC', max_length=64)),
                        ('address', models.JSONField(blank=True, default=dict)),
                        ('tax_rate', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('tax_id', models.CharField(blank=True, max_length=64)),
                        ('tax_treatment', models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge')], default='standard', max_length=15)),
                        ('locale', models.CharField(blank=True, max_length=12)),
                        ('metadata', models.JSONField(blank=True, default=dict)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('anonymized_at', models.DateTimeField(blank=True, editable=False, null=True)),
                        ('erased_at', models.DateTimeField(blank=True, editable=False, null=True)),
                        ('documents_until', models.DateField(blank=True, editable=False, null=True)),
                        ('merged_at', models.DateTimeField(blank=True, editable=False, null=True)),
                        ('merged_into', models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='billing.customer')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('test_clock', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.testclock')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('documents_until__isnull', False)), fields=['documents_until'], name='documents_to_destroy')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='customer_key_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='SellerLogo',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('digest', models.CharField(max_length=64)),
                        ('media_type', models.CharField(choices=[('image/png', 'Png'), ('image/svg+xml', 'Svg')], max_length=20)),
                        ('content', models.BinaryField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('organization', 'digest'), name='seller_logo_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='SellerProfile',
                    fields=[
                        ('id', models.CharField(default=billing.customers.models.seller_profile_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('version', models.IntegerField()),
                        ('legal_name', models.CharField(max_length=200)),
                        ('line1', models.CharField(blank=True, max_length=200)),
                        ('line2', models.CharField(blank=True, max_length=200)),
                        ('postal_code', models.CharField(blank=True, max_length=30)),
                        ('city', models.CharField(blank=True, max_length=100)),
                        ('region', models.CharField(blank=True, max_length=100)),
                        ('country', models.CharField(blank=True, max_length=2)),
                        ('vat_id', models.CharField(blank=True, max_length=20)),
                        ('tax_number', models.CharField(blank=True, max_length=40)),
                        ('registration', models.CharField(blank=True, max_length=100)),
                        ('bank_name', models.CharField(blank=True, max_length=100)),
                        ('iban', models.CharField(blank=True, max_length=34)),
                        ('bic', models.CharField(blank=True, max_length=11)),
                        ('email', models.EmailField(blank=True, max_length=254)),
                        ('phone', models.CharField(blank=True, max_length=40)),
                        ('website', models.CharField(blank=True, max_length=200)),
                        ('payment_url', models.CharField(blank=True, max_length=500)),
                        ('color', models.CharField(default='#1f4e79', max_length=7, validators=[django.core.validators.RegexValidator('^#[0-9a-f]{6}\\Z')])),
                        ('footer', models.TextField(blank=True, max_length=1000)),
                        ('locale', models.CharField(default='en', max_length=12)),
                        ('created_at', models.DateTimeField()),
                        ('logo', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.sellerlogo')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['-version'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'version'), name='seller_profile_version_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='BillingPolicy',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('grace_hours', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(1440)])),
                        ('payment_days', models.PositiveSmallIntegerField(default=30, validators=[django.core.validators.MaxValueValidator(365)])),
                        ('late_usage', models.CharField(choices=[('adjust', 'Adjust'), ('write_off', 'Write Off')], default='adjust', max_length=10)),
                        ('zero_amount', models.CharField(choices=[('issue', 'Issue'), ('skip', 'Skip')], default='issue', max_length=10)),
                        ('issue', models.CharField(choices=[('month_close', 'Month Close'), ('when_due', 'When Due')], default='month_close', max_length=12)),
                        ('tax_rounding', models.CharField(choices=[('document', 'Document'), ('line', 'Line')], default=billing.rating.taxes.TaxRounding['DOCUMENT'], max_length=8)),
                    ],
                    options={
                        'verbose_name_plural': 'billing policies',
                    },
                ),
                migrations.CreateModel(
                    name='Subscription',
                    fields=[
                        ('id', models.CharField(default=billing.subscriptions.models.subscription_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(blank=True, max_length=128, null=True)),
                        ('usage', models.CharField(choices=[('any', 'Any'), ('named', 'Named')], default='any', max_length=5)),
                        ('starts_at', models.DateTimeField()),
                        ('ends_at', models.DateTimeField(blank=True, null=True)),
                        ('anchor', models.CharField(choices=[('calendar', 'Calendar'), ('anniversary', 'Anniversary')], default='calendar', max_length=11)),
                        ('trial_days', models.SmallIntegerField(default=0)),
                        ('trial_ended_at', models.DateTimeField(editable=False, null=True)),
                        ('continued_on', models.DateField(editable=False, null=True)),
                        ('charged_alone', models.BooleanField(default=False, editable=False)),
                        ('seats', models.IntegerField(default=0)),
                        ('usage_starts_at', models.DateTimeField(editable=False, null=True)),
                        ('usage_ends_at', models.DateTimeField(editable=False, null=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('continued_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='billing.subscription')),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='billing.customer')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='subscription_key_unique'), models.CheckConstraint(condition=models.Q(('seats__gte', 0)), name='seats_not_negative'), models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gt', django.db.models.expressions.CombinedExpression(models.F('starts_at'), '-', models.Value(datetime.timedelta(days=1, seconds=7200)))), _connector='OR'), name='ends_no_day_before_start')],
                    },
                ),
                migrations.CreateModel(
                    name='SeatChange',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('seats', models.IntegerField()),
                        ('starts_at', models.DateTimeField()),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seat_changes', to='billing.subscription')),
                    ],
                    options={
                        'ordering': ['starts_at', 'id'],
                        'constraints': [models.CheckConstraint(condition=models.Q(('seats__gte', 0)), name='changed_seats_not_negative')],
                    },
                ),
                migrations.CreateModel(
                    name='PlanChange',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('starts_at', models.DateTimeField()),
                        ('usage_starts_at', models.DateTimeField(editable=False, null=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='plan_changes', to='billing.subscription')),
                        ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                    ],
                    options={
                        'ordering': ['starts_at', 'id'],
                    },
                ),
                migrations.CreateModel(
                    name='SubscriptionPause',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('starts_at', models.DateTimeField()),
                        ('ends_at', models.DateTimeField(null=True)),
                        ('usage_starts_at', models.DateTimeField(editable=False, null=True)),
                        ('usage_ends_at', models.DateTimeField(editable=False, null=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pauses', to='billing.subscription')),
                    ],
                    options={
                        'ordering': ['starts_at', 'id'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('ends_at', None)), fields=('subscription',), name='one_open_pause'), models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='pause_in_order')],
                    },
                ),
                migrations.CreateModel(
                    name='SubscriptionAddOn',
                    fields=[
                        ('id', models.CharField(default=billing.subscriptions.models.add_on_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('quantity', models.IntegerField(default=1)),
                        ('starts_at', models.DateTimeField()),
                        ('ends_at', models.DateTimeField(null=True)),
                        ('usage_starts_at', models.DateTimeField(editable=False, null=True)),
                        ('usage_ends_at', models.DateTimeField(editable=False, null=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                        ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='add_ons', to='billing.subscription')),
                    ],
                    options={
                        'verbose_name': 'subscription add-on',
                        'ordering': ['starts_at', 'id'],
                        'constraints': [models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='add_on_of_something'), models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='add_on_in_order')],
                    },
                ),
                migrations.CreateModel(
                    name='BillingRun',
                    fields=[
                        ('id', models.CharField(default=billing.invoicing.models.billing_run_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('month', models.CharField(max_length=7)),
                        ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed')], default='queued', max_length=10)),
                        ('planned_at', models.DateTimeField(null=True)),
                        ('total', models.IntegerField(default=0)),
                        ('done', models.IntegerField(default=0)),
                        ('invoices', models.IntegerField(default=0)),
                        ('problems', models.JSONField(default=list)),
                        ('created_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['queued', 'running'])), fields=('organization', 'month'), name='one_active_run_per_month')],
                    },
                ),
                migrations.CreateModel(
                    name='BillingRunBatch',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('position', models.IntegerField()),
                        ('subscriptions', models.JSONField()),
                        ('done', models.BooleanField(default=False)),
                        ('invoices', models.IntegerField(default=0)),
                        ('problems', models.JSONField(default=list)),
                        ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='batches', to='billing.billingrun')),
                    ],
                    options={
                        'verbose_name_plural': 'billing run batches',
                        'ordering': ['position'],
                        'constraints': [models.UniqueConstraint(fields=('run', 'position'), name='batch_position_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='InvoiceCounter',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('last', models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name='Invoice',
                    fields=[
                        ('id', models.CharField(default=billing.invoicing.models.invoice_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('number', models.CharField(max_length=40, null=True)),
                        ('status', models.CharField(choices=[('draft', 'Draft'), ('finalized', 'Finalized'), ('paid', 'Paid'), ('uncollectible', 'Uncollectible'), ('void', 'Void'), ('skipped', 'Skipped')], default='draft', max_length=15)),
                        ('kind', models.CharField(choices=[('opening', 'Opening'), ('cycle', 'Cycle'), ('threshold', 'Threshold'), ('one_off', 'One Off')], default='cycle', max_length=10)),
                        ('month', models.CharField(max_length=7)),
                        ('currency', models.CharField(max_length=3)),
                        ('period_start', models.DateTimeField()),
                        ('period_end', models.DateTimeField()),
                        ('subtotal', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('discount', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('credits_applied', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('tax', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('total', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('amount_due', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('tax_treatment', models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge')], default='standard', max_length=15)),
                        ('tax_rounding', models.CharField(choices=[('document', 'Document'), ('line', 'Line')], default=billing.rating.taxes.TaxRounding['LINE'], max_length=8)),
                        ('log_snapshot', models.TextField()),
                        ('created_at', models.DateTimeField()),
                        ('finalize_at', models.DateTimeField(null=True)),
                        ('finalized_at', models.DateTimeField(null=True)),
                        ('due_at', models.DateTimeField(null=True)),
                        ('paid_at', models.DateTimeField(null=True)),
                        ('voided_at', models.DateTimeField(null=True)),
                        ('billing_run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='billing.billingrun')),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='billing.customer')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('subscription', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='billing.subscription')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(models.F('organization'), models.F('month'), django.db.models.functions.comparison.Coalesce('number', 'id'), name='invoice_by_place'), models.Index(condition=models.Q(('status__in', ['draft', 'finalized'])), fields=['organization', 'currency'], include=('status', 'total', 'amount_due', 'due_at'), name='invoice_standing'), models.Index(condition=models.Q(('status', 'draft')), fields=['organization', 'finalize_at'], name='invoice_drafts')],
                        'constraints': [models.UniqueConstraint(fields=('subscription', 'kind', 'period_start'), name='no_period_is_billed_twice'), models.UniqueConstraint(fields=('organization', 'number'), name='invoice_number_unique'), models.CheckConstraint(condition=models.Q(models.Q(('number', None), ('status__in', ['draft', 'skipped'])), models.Q(models.Q(('status__in', ['draft', 'skipped']), _negated=True), ('number__isnull', False)), _connector='OR'), name='only_drafts_have_no_number'), models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal'), '-', models.F('discount')), '+', models.F('tax')))), name='total_is_the_sum_of_its_parts')],
                    },
                ),
                migrations.CreateModel(
                    name='EmptyBill',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind', models.CharField(choices=[('opening', 'Opening'), ('cycle', 'Cycle'), ('threshold', 'Threshold'), ('one_off', 'One Off')], max_length=10)),
                        ('period_start', models.DateTimeField()),
                        ('created_at', models.DateTimeField()),
                        ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='empty_bills', to='billing.subscription')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('subscription', 'kind', 'period_start'), name='no_bill_is_empty_twice')],
                    },
                ),
                migrations.CreateModel(
                    name='InvoiceLine',
                    fields=[
                        ('id', models.CharField(default=billing.invoicing.models.invoice_line_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('position', models.SmallIntegerField()),
                        ('role', models.CharField(choices=[('charge', 'Charge'), ('settlement', 'Settlement'), ('billed_before', 'Billed Before'), ('adjustment', 'Adjustment'), ('one_off', 'One Off')], default='charge', max_length=15)),
                        ('kind', models.CharField(max_length=10)),
                        ('description', models.TextField()),
                        ('quantity', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('unit_amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('units', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('discount', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('tax_rate', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('tax', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('period_start', models.DateTimeField()),
                        ('period_end', models.DateTimeField()),
                        ('breakdown', models.JSONField()),
                        ('steps', models.JSONField()),
                        ('events', models.BigIntegerField(default=0)),
                        ('adjusts', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='adjustments', to='billing.invoiceline')),
                        ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='billing.invoice')),
                        ('meter_version', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meterversion')),
                        ('price', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.price')),
                    ],
                    options={
                        'ordering': ['position'],
                        'constraints': [models.UniqueConstraint(fields=('invoice', 'position'), name='line_position_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='LateUsageMark',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('log_snapshot', models.TextField()),
                    ],
                ),
                migrations.CreateModel(
                    name='LateUsage',
                    fields=[
                        ('id', models.CharField(default=billing.invoicing.models.late_usage_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('quantity', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('resolution', models.CharField(choices=[('open', 'Open'), ('adjusted', 'Adjusted'), ('written_off', 'Written Off'), ('unpriceable', 'Unpriceable')], default='open', max_length=12)),
                        ('found_at', models.DateTimeField()),
                        ('resolved_at', models.DateTimeField(null=True)),
                        ('problem', models.TextField(blank=True)),
                        ('adjustment', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='late_usage_of', to='billing.invoiceline')),
                        ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='late_usage', to='billing.invoiceline')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'late usage',
                        'ordering': ['-id'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('resolution', 'open')), fields=('line',), name='one_open_late_usage_per_line'), models.UniqueConstraint(condition=models.Q(('resolution', 'unpriceable')), fields=('line',), name='one_unpriceable_late_usage_per_line')],
                    },
                ),
                migrations.CreateModel(
                    name='OpenRevenue',
                    fields=[
                        ('subscription', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='billing.subscription')),
                        ('currency', models.CharField(max_length=3)),
                        ('months', models.JSONField(default=dict)),
                        ('is_stale', models.BooleanField(default=False)),
                        ('priced_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'open revenue',
                        'indexes': [models.Index(fields=['organization', 'is_stale', 'priced_at'], name='open_revenue_by_age')],
                    },
                ),
                migrations.CreateModel(
                    name='OpenRevenueReader',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='accounts.organization')),
                        ('snapshot', models.TextField()),
                    ],
                ),
                migrations.CreateModel(
                    name='InvoiceIdentity',
                    fields=[
                        ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='identity', serialize=False, to='billing.invoice')),
                        ('buyer', models.JSONField()),
                        ('seller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.sellerprofile')),
                    ],
                    options={
                        'verbose_name_plural': 'invoice identities',
                    },
                ),
                migrations.CreateModel(
                    name='CreditGrant',
                    fields=[
                        ('id', models.CharField(default=billing.credits.models.credit_grant_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('name', models.CharField(max_length=200)),
                        ('source', models.CharField(choices=[('promotion', 'Promotion'), ('purchase', 'Purchase'), ('balance', 'Balance'), ('rollover', 'Rollover')], default='promotion', max_length=10)),
                        ('currency', models.CharField(blank=True, max_length=3)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('balance', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('priority', models.SmallIntegerField(default=100)),
                        ('effective_at', models.DateTimeField()),
                        ('expires_at', models.DateTimeField(null=True)),
                        ('rollover_limit', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('rollover_days', models.IntegerField(null=True)),
                        ('voided_at', models.DateTimeField(null=True)),
                        ('created_at', models.DateTimeField()),
                        ('meter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meter')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_grants', to='billing.customer')),
                        ('pricing_unit', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.pricingunit')),
                    ],
                    options={
                        'ordering': ['priority', 'expires_at', 'id'],
                        'indexes': [models.Index(condition=models.Q(('balance__gt', 0)), fields=['expires_at'], name='grants_to_expire')],
                        'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('currency__gt', ''), ('meter', None), ('pricing_unit', None)), models.Q(('currency', ''), ('meter', None), ('pricing_unit__isnull', False)), models.Q(('currency', ''), ('meter__isnull', False), ('pricing_unit', None)), _connector='OR'), name='a_grant_is_of_one_thing'), models.CheckConstraint(condition=models.Q(('balance__gte', 0), ('balance__lte', models.F('amount'))), name='grant_not_overdrawn')],
                    },
                ),
                migrations.CreateModel(
                    name='CreditMovement',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind', models.CharField(choices=[('granted', 'Granted'), ('drawn', 'Drawn'), ('returned', 'Returned'), ('expired', 'Expired'), ('rolled_over', 'Rolled Over'), ('voided', 'Voided')], max_length=12)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('occurred_at', models.DateTimeField()),
                        ('grant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='movements', to='billing.creditgrant')),
                        ('invoice', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='credit_movements', to='billing.invoice')),
                        ('line', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='credit_movements', to='billing.invoiceline')),
                    ],
                    options={
                        'ordering': ['id'],
                    },
                ),
                migrations.CreateModel(
                    name='Coupon',
                    fields=[
                        ('id', models.CharField(default=billing.credits.models.coupon_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('percent', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('currency', models.CharField(blank=True, max_length=3)),
                        ('periods', models.IntegerField(null=True)),
                        ('max_redemptions', models.IntegerField(null=True)),
                        ('expires_at', models.DateTimeField(null=True)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='coupon_key_unique'), models.CheckConstraint(condition=models.Q(models.Q(('amount', None), ('percent__gt', 0), ('percent__lte', 100)), models.Q(('amount__gt', 0), ('percent', None)), _connector='OR'), name='coupon_takes_percent_or_amount')],
                    },
                ),
                migrations.CreateModel(
                    name='CouponRedemption',
                    fields=[
                        ('id', models.CharField(default=billing.credits.models.redemption_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('starts_at', models.DateTimeField()),
                        ('ends_at', models.DateTimeField(null=True)),
                        ('created_at', models.DateTimeField()),
                        ('coupon', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.coupon')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.customer')),
                        ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.subscription')),
                    ],
                    options={
                        'ordering': ['id'],
                        'constraints': [models.UniqueConstraint(fields=('coupon', 'subscription'), name='coupon_redeemed_once_per_subscription')],
                    },
                ),
                migrations.CreateModel(
                    name='InvoiceDiscount',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('period_start', models.DateTimeField()),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='discounts', to='billing.invoice')),
                        ('redemption', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='discounts', to='billing.couponredemption')),
                    ],
                    options={
                        'ordering': ['id'],
                    },
                ),
                migrations.CreateModel(
                    name='OneOffCharge',
                    fields=[
                        ('id', models.CharField(default=billing.credits.models.charge_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('description', models.TextField()),
                        ('currency', models.CharField(max_length=3)),
                        ('quantity', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('1'), max_digits=1000)),
                        ('unit_amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('tax_rate', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                        ('period_start', models.DateTimeField()),
                        ('period_end', models.DateTimeField()),
                        ('created_at', models.DateTimeField()),
                        ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='one_off_charges', to='billing.customer')),
                        ('line', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='one_off_charge', to='billing.invoiceline')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'verbose_name': 'one-off charge',
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('line', None)), fields=['organization', 'customer'], name='charges_waiting')],
                    },
                ),
                migrations.CreateModel(
                    name='Payment',
                    fields=[
                        ('id', models.CharField(default=billing.payments.models.payment_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('currency', models.CharField(max_length=3)),
                        ('method', models.CharField(default='manual', max_length=40)),
                        ('reference', models.CharField(blank=True, max_length=200)),
                        ('paid_at', models.DateTimeField()),
                        ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='billing.invoice')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('refund_of', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.payment')),
                    ],
                    options={
                        'ordering': ['id'],
                    },
                ),
                migrations.CreateModel(
                    name='CreditNoteCounter',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('last', models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name='CreditNote',
                    fields=[
                        ('id', models.CharField(default=billing.payments.models.credit_note_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('number', models.CharField(max_length=40)),
                        ('kind', models.CharField(choices=[('correction', 'Correction'), ('goodwill', 'Goodwill')], default='correction', max_length=12)),
                        ('reason', models.TextField(blank=True)),
                        ('currency', models.CharField(max_length=3)),
                        ('subtotal', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('tax', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('total', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('applied', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('credited', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('refunded', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('issued_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='billing.invoice')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'number'), name='credit_note_number_unique'), models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(models.F('subtotal'), '+', models.F('tax')))), name='credit_note_is_its_parts'), models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('applied'), '+', models.F('credited')), '+', models.F('refunded')))), name='credit_note_goes_somewhere')],
                    },
                ),
                migrations.CreateModel(
                    name='CreditNoteLine',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('tax', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('credit_note', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='billing.creditnote')),
                        ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credited_by', to='billing.invoiceline')),
                    ],
                    options={
                        'ordering': ['id'],
                    },
                ),
                migrations.CreateModel(
                    name='LedgerTransaction',
                    fields=[
                        ('id', models.CharField(default=billing.ledger.models.ledger_transaction_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('void', 'Void'), ('write_off', 'Write Off'), ('payment', 'Payment'), ('refund', 'Refund'), ('credit_note', 'Credit Note'), ('credit', 'Credit'), ('revenue', 'Revenue')], max_length=12)),
                        ('source', models.CharField(max_length=200)),
                        ('occurred_at', models.DateTimeField()),
                        ('currency', models.CharField(max_length=3)),
                        ('credit_note', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.creditnote')),
                        ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='billing.customer')),
                        ('invoice', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.invoice')),
                        ('movement', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.creditmovement')),
                        ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('payment', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                    ],
                    options={
                        'ordering': ['-id'],
                        'indexes': [models.Index(fields=['organization', 'occurred_at'], name='ledger_by_time'), models.Index(fields=['customer'], name='ledger_by_customer'), models.Index(condition=models.Q(('invoice__isnull', False)), fields=['invoice'], name='ledger_by_invoice')],
                        'constraints': [models.UniqueConstraint(fields=('organization', 'source'), name='nothing_is_booked_twice')],
                    },
                ),
                migrations.CreateModel(
                    name='LedgerEntry',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('account', models.CharField(choices=[('receivable', 'receivable'), ('cash', 'cash'), ('deferred_revenue', 'deferred_revenue'), ('tax_payable', 'tax_payable'), ('customer_credits', 'customer_credits'), ('revenue', 'revenue'), ('breakage', 'breakage'), ('promotion_expense', 'promotion_expense'), ('bad_debt', 'bad_debt')], max_length=20)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('transaction', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.ledgertransaction')),
                    ],
                    options={
                        'verbose_name_plural': 'ledger entries',
                        'ordering': ['id'],
                        'indexes': [models.Index(fields=['transaction'], name='entries_of_transaction')],
                        'constraints': [models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='ledger_entry_is_not_nothing')],
                    },
                ),
                migrations.CreateModel(
                    name='DeferredRevenue',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('currency', models.CharField(max_length=3)),
                        ('amount', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('starts_on', models.DateField()),
                        ('ends_on', models.DateField()),
                        ('booked_at', models.DateTimeField()),
                        ('recognized', rest.columns.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                        ('recognized_until', models.DateField()),
                        ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='billing.customer')),
                        ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('line', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deferrals', to='billing.invoiceline')),
                        ('transaction', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deferrals', to='billing.ledgertransaction')),
                    ],
                    options={
                        'verbose_name_plural': 'deferred revenue',
                        'ordering': ['id'],
                        'indexes': [models.Index(condition=models.Q(('recognized_until__lt', models.F('ends_on'))), fields=['organization', 'starts_on'], name='revenue_to_recognize'), models.Index(fields=['line'], name='deferrals_of_line')],
                        'constraints': [models.CheckConstraint(condition=models.Q(('ends_on__gt', models.F('starts_on'))), name='deferred_over_at_least_a_day')],
                    },
                ),
            ],
        ),
        migrations.RunSQL(
            sql=INVOICES,
            reverse_sql="DROP FUNCTION billing_guard_invoice, billing_guard_invoice_line CASCADE",
        ),
        migrations.RunSQL(
            sql=BOOKS,
            reverse_sql="DROP FUNCTION billing_refuse_change, billing_check_new_entries, billing_check_ledger_transaction, billing_guard_deferred_revenue, billing_check_credit_note CASCADE",
        ),
        migrations.RunSQL(
            sql=SELLERS,
            reverse_sql="DROP FUNCTION billing_guard_sellers CASCADE",
        ),
    ]
