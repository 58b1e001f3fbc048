"""The tables of this room and what the database itself sees to, for an empty database; others go step by step."""

import datetime
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
from decimal import Decimal
from django.db import migrations, models

import billing.models.catalogue
import billing.models.charges
import billing.models.coupons
import billing.models.credits
import billing.models.customers
import billing.models.fields
import billing.models.invoices
import billing.models.late
import billing.models.ledger
import billing.models.migrations_of_plans
import billing.models.payments
import billing.models.sellers
from rest.create_models import CreateModels

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

# What the database itself sees to in the books.
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
    replaces = [
        ('billing', '0001_initial'),
        ('billing', '0002_finalized_invoices_never_change'),
        ('billing', '0003_billing_cycles'),
        ('billing', '0004_seat_changes'),
        ('billing', '0005_test_clocks'),
        ('billing', '0006_whole_life_of_a_subscription'),
        ('billing', '0007_ledger'),
        ('billing', '0008_billing_run_batches'),
        ('billing', '0009_credits_to_expire'),
        ('billing', '0010_versions_of_a_customer'),
        ('billing', '0011_post_what_was_before_the_ledger'),
        ('billing', '0012_issue_and_settlement'),
        ('billing', '0013_sellers'),
        ('billing', '0014_never_begins'),
        ('billing', '0015_archive_and_migrate_plans'),
        ('billing', '0016_open_revenue'),
        ('billing', '0017_names_of_tables'),
        ('billing', '0018_lists_of_invoices'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0002_members_and_portal'),
        ('metering', '0004_daily_buckets'),
    ]

    operations = [
        CreateModels([
            migrations.CreateModel(
                name='PricingUnit',
                fields=[
                    ('id', models.CharField(default=billing.models.catalogue.pricing_unit_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('key', models.CharField(max_length=128)),
                    ('name', models.CharField(max_length=200)),
                    ('currency', models.CharField(max_length=3)),
                    ('rate', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [
                        models.UniqueConstraint(fields=('organization', 'key'), name='pricing_unit_key_unique'),
                        models.CheckConstraint(condition=models.Q(('rate__gt', 0)), name='pricing_unit_is_worth_something'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='Plan',
                fields=[
                    ('id', models.CharField(default=billing.models.catalogue.plan_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('key', models.CharField(max_length=128)),
                    ('name', models.CharField(max_length=200)),
                    ('add_on', models.BooleanField(default=False)),
                    ('archived_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='plan_key_unique')],
                },
            ),
            migrations.CreateModel(
                name='TestClock',
                fields=[
                    ('id', models.CharField(default=billing.models.customers.test_clock_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('now', models.DateTimeField()),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                },
            ),
            migrations.CreateModel(
                name='Customer',
                fields=[
                    ('id', models.CharField(default=billing.models.customers.customer_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('key', models.CharField(max_length=128)),
                    ('name', models.CharField(max_length=200)),
                    ('email', models.EmailField(blank=True, max_length=254)),
                    ('currency', models.CharField(default='USD', max_length=3)),
                    ('timezone', models.CharField(default='UTC', max_length=64)),
                    ('address', models.JSONField(blank=True, default=dict)),
                    ('tax_rate', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('tax_id', models.CharField(blank=True, max_length=64)),
                    ('tax_treatment', models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge')], default='standard', max_length=15)),
                    ('locale', models.CharField(blank=True, max_length=12)),
                    ('metadata', models.JSONField(blank=True, default=dict)),
                    ('test_clock', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.testclock')),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='customer_key_unique')],
                },
            ),
            migrations.CreateModel(
                name='PlanVersion',
                fields=[
                    ('id', models.CharField(default=billing.models.catalogue.plan_version_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='billing.plan')),
                    ('number', models.IntegerField(default=1)),
                    ('currency', models.CharField(max_length=3)),
                    ('interval', models.CharField(choices=[('day', 'Day'), ('week', 'Week'), ('month', 'Month'), ('quarter', 'Quarter'), ('year', 'Year')], default='month', max_length=10)),
                    ('interval_count', models.SmallIntegerField(default=1)),
                    ('trial_days', models.SmallIntegerField(default=0)),
                    ('invoice_threshold', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('settlement_hours', models.PositiveIntegerField(default=72)),
                    ('customer', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='own_versions', to='billing.customer')),
                    ('based_on', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['number'],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('customer', None)), fields=('plan', 'number'), name='plan_version_number_unique')],
                },
            ),
            migrations.CreateModel(
                name='Price',
                fields=[
                    ('id', models.CharField(default=billing.models.catalogue.price_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prices', to='billing.planversion')),
                    ('position', models.SmallIntegerField()),
                    ('key', models.CharField(max_length=128)),
                    ('name', models.CharField(max_length=200)),
                    ('kind', models.CharField(choices=[('fixed', 'Fixed'), ('seat', 'Seat'), ('usage', 'Usage'), ('commitment', 'Commitment')], max_length=10)),
                    ('bill', models.CharField(choices=[('in_advance', 'In Advance'), ('in_arrears', 'In Arrears')], default='in_arrears', max_length=10)),
                    ('meter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meter')),
                    ('filter', models.JSONField(default=dict)),
                    ('prorate', models.BooleanField(default=True)),
                    ('included', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('minimum', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('maximum', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('model', models.JSONField()),
                    ('pricing_unit', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.pricingunit')),
                    ('unit_rate', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('tax_rate', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                ],
                options={
                    'ordering': ['position'],
                    'constraints': [
                        models.UniqueConstraint(fields=('plan_version', 'key'), name='price_key_unique_in_version'),
                        models.CheckConstraint(condition=models.Q(models.Q(('kind', 'usage'), ('meter__isnull', False)), models.Q(models.Q(('kind', 'usage'), _negated=True), ('meter', None)), _connector='OR'), name='usage_prices_have_a_meter'),
                        models.CheckConstraint(condition=models.Q(('bill', 'in_arrears'), ('kind__in', ['fixed', 'seat']), _connector='OR'), name='only_fees_are_billed_in_advance'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='Subscription',
                fields=[
                    ('id', models.CharField(default=billing.models.customers.subscription_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='billing.customer')),
                    ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                    ('starts_at', models.DateTimeField()),
                    ('ends_at', models.DateTimeField(blank=True, null=True)),
                    ('anchor', models.CharField(choices=[('calendar', 'Calendar'), ('anniversary', 'Anniversary')], default='calendar', max_length=11)),
                    ('trial_days', models.SmallIntegerField(default=0)),
                    ('seats', models.IntegerField(default=0)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [
                        models.CheckConstraint(condition=models.Q(('seats__gte', 0)), name='seats_not_negative'),
                        models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gt', django.db.models.expressions.CombinedExpression(models.F('starts_at'), '-', models.Value(datetime.timedelta(days=1, seconds=7200)))), _connector='OR'), name='ends_no_day_before_start'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='SeatChange',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seat_changes', to='billing.subscription')),
                    ('seats', models.IntegerField()),
                    ('starts_at', models.DateTimeField()),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
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
                    ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='plan_changes', to='billing.subscription')),
                    ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                    ('starts_at', models.DateTimeField()),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['starts_at', 'id'],
                },
            ),
            migrations.CreateModel(
                name='SubscriptionPause',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pauses', to='billing.subscription')),
                    ('starts_at', models.DateTimeField()),
                    ('ends_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['starts_at', 'id'],
                    'constraints': [
                        models.UniqueConstraint(condition=models.Q(('ends_at', None)), fields=('subscription',), name='one_open_pause'),
                        models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='pause_in_order'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='SubscriptionAddOn',
                fields=[
                    ('id', models.CharField(default=billing.models.customers.add_on_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='add_ons', to='billing.subscription')),
                    ('plan_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.planversion')),
                    ('quantity', models.IntegerField(default=1)),
                    ('starts_at', models.DateTimeField()),
                    ('ends_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'verbose_name': 'subscription add-on',
                    'ordering': ['starts_at', 'id'],
                    'constraints': [
                        models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='add_on_of_something'),
                        models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='add_on_in_order'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='BillingRun',
                fields=[
                    ('id', models.CharField(default=billing.models.invoices.billing_run_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('month', models.CharField(max_length=7)),
                    ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed')], default='queued', max_length=10)),
                    ('planned_at', models.DateTimeField(null=True)),
                    ('total', models.IntegerField(default=0)),
                    ('done', models.IntegerField(default=0)),
                    ('invoices', models.IntegerField(default=0)),
                    ('problems', models.JSONField(default=list)),
                    ('created_at', models.DateTimeField()),
                    ('finished_at', models.DateTimeField(null=True)),
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
                    ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='batches', to='billing.billingrun')),
                    ('position', models.IntegerField()),
                    ('subscriptions', models.JSONField()),
                    ('done', models.BooleanField(default=False)),
                    ('invoices', models.IntegerField(default=0)),
                    ('problems', models.JSONField(default=list)),
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
                    ('id', models.CharField(default=billing.models.invoices.invoice_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='billing.customer')),
                    ('subscription', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='invoices', to='billing.subscription')),
                    ('billing_run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='billing.billingrun')),
                    ('number', models.CharField(max_length=40, null=True)),
                    ('status', models.CharField(choices=[('draft', 'Draft'), ('finalized', 'Finalized'), ('paid', 'Paid'), ('uncollectible', 'Uncollectible'), ('void', 'Void'), ('skipped', 'Skipped')], default='draft', max_length=15)),
                    ('kind', models.CharField(choices=[('opening', 'Opening'), ('cycle', 'Cycle'), ('threshold', 'Threshold'), ('one_off', 'One Off')], default='cycle', max_length=10)),
                    ('month', models.CharField(max_length=7)),
                    ('currency', models.CharField(max_length=3)),
                    ('period_start', models.DateTimeField()),
                    ('period_end', models.DateTimeField()),
                    ('subtotal', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('discount', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('credits_applied', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('tax', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('total', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('amount_due', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('tax_treatment', models.CharField(choices=[('standard', 'Standard'), ('exempt', 'Exempt'), ('reverse_charge', 'Reverse Charge')], default='standard', max_length=15)),
                    ('log_snapshot', models.TextField()),
                    ('created_at', models.DateTimeField()),
                    ('finalize_at', models.DateTimeField(null=True)),
                    ('finalized_at', models.DateTimeField(null=True)),
                    ('due_at', models.DateTimeField(null=True)),
                    ('paid_at', models.DateTimeField(null=True)),
                    ('voided_at', models.DateTimeField(null=True)),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [
                        models.Index(models.F('organization'), models.F('month'), django.db.models.functions.comparison.Coalesce('number', 'id'), name='invoice_by_place'),
                        models.Index(condition=models.Q(('status__in', ['draft', 'finalized'])), fields=['organization', 'currency'], include=('status', 'total', 'amount_due', 'due_at'), name='invoice_standing'),
                        models.Index(condition=models.Q(('status', 'draft')), fields=['organization', 'finalize_at'], name='invoice_drafts'),
                    ],
                    'constraints': [
                        models.UniqueConstraint(fields=('subscription', 'kind', 'period_start'), name='no_period_is_billed_twice'),
                        models.UniqueConstraint(fields=('organization', 'number'), name='invoice_number_unique'),
                        models.CheckConstraint(condition=models.Q(models.Q(('number', None), ('status__in', ['draft', 'skipped'])), models.Q(models.Q(('status__in', ['draft', 'skipped']), _negated=True), ('number__isnull', False)), _connector='OR'), name='only_drafts_have_no_number'),
                        models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal'), '-', models.F('discount')), '+', models.F('tax')))), name='total_is_the_sum_of_its_parts'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='InvoiceLine',
                fields=[
                    ('id', models.CharField(default=billing.models.invoices.invoice_line_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='billing.invoice')),
                    ('position', models.SmallIntegerField()),
                    ('price', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.price')),
                    ('role', models.CharField(choices=[('charge', 'Charge'), ('settlement', 'Settlement'), ('billed_before', 'Billed Before'), ('adjustment', 'Adjustment'), ('one_off', 'One Off')], default='charge', max_length=15)),
                    ('adjusts', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='adjustments', to='billing.invoiceline')),
                    ('kind', models.CharField(max_length=10)),
                    ('description', models.TextField()),
                    ('quantity', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('unit_amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('units', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('discount', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('tax_rate', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('tax', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('period_start', models.DateTimeField()),
                    ('period_end', models.DateTimeField()),
                    ('breakdown', models.JSONField()),
                    ('steps', models.JSONField()),
                    ('meter_version', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meterversion')),
                    ('events', models.BigIntegerField(default=0)),
                ],
                options={
                    'ordering': ['position'],
                    'constraints': [models.UniqueConstraint(fields=('invoice', 'position'), name='line_position_unique')],
                },
            ),
            migrations.CreateModel(
                name='OneOffCharge',
                fields=[
                    ('id', models.CharField(default=billing.models.charges.charge_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='one_off_charges', to='billing.customer')),
                    ('description', models.TextField()),
                    ('currency', models.CharField(max_length=3)),
                    ('quantity', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('1'), max_digits=1000)),
                    ('unit_amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('tax_rate', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('period_start', models.DateTimeField()),
                    ('period_end', models.DateTimeField()),
                    ('line', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='one_off_charge', to='billing.invoiceline')),
                    ('created_at', models.DateTimeField()),
                ],
                options={
                    'verbose_name': 'one-off charge',
                    'ordering': ['id'],
                    'indexes': [models.Index(condition=models.Q(('line', None)), fields=['organization', 'customer'], name='charges_waiting')],
                },
            ),
            migrations.CreateModel(
                name='Coupon',
                fields=[
                    ('id', models.CharField(default=billing.models.coupons.coupon_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('key', models.CharField(max_length=128)),
                    ('name', models.CharField(max_length=200)),
                    ('percent', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('currency', models.CharField(blank=True, max_length=3)),
                    ('periods', models.IntegerField(null=True)),
                    ('max_redemptions', models.IntegerField(null=True)),
                    ('expires_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [
                        models.UniqueConstraint(fields=('organization', 'key'), name='coupon_key_unique'),
                        models.CheckConstraint(condition=models.Q(models.Q(('amount', None), ('percent__gt', 0), ('percent__lte', 100)), models.Q(('amount__gt', 0), ('percent', None)), _connector='OR'), name='coupon_takes_percent_or_amount'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='CouponRedemption',
                fields=[
                    ('id', models.CharField(default=billing.models.coupons.redemption_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('coupon', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.coupon')),
                    ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.customer')),
                    ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.subscription')),
                    ('starts_at', models.DateTimeField()),
                    ('ends_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField()),
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
                    ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='discounts', to='billing.invoice')),
                    ('redemption', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='discounts', to='billing.couponredemption')),
                    ('period_start', models.DateTimeField()),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                ],
                options={
                    'ordering': ['id'],
                },
            ),
            migrations.CreateModel(
                name='CreditGrant',
                fields=[
                    ('id', models.CharField(default=billing.models.credits.credit_grant_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_grants', to='billing.customer')),
                    ('name', models.CharField(max_length=200)),
                    ('source', models.CharField(choices=[('promotion', 'Promotion'), ('purchase', 'Purchase'), ('balance', 'Balance'), ('rollover', 'Rollover')], default='promotion', max_length=10)),
                    ('currency', models.CharField(blank=True, max_length=3)),
                    ('pricing_unit', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.pricingunit')),
                    ('meter', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='metering.meter')),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('balance', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('priority', models.SmallIntegerField(default=100)),
                    ('effective_at', models.DateTimeField()),
                    ('expires_at', models.DateTimeField(null=True)),
                    ('rollover_limit', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000, null=True)),
                    ('rollover_days', models.IntegerField(null=True)),
                    ('voided_at', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['priority', 'expires_at', 'id'],
                    'indexes': [models.Index(condition=models.Q(('balance__gt', 0)), fields=['expires_at'], name='grants_to_expire')],
                    'constraints': [
                        models.CheckConstraint(condition=models.Q(models.Q(('currency__gt', ''), ('meter', None), ('pricing_unit', None)), models.Q(('currency', ''), ('meter', None), ('pricing_unit__isnull', False)), models.Q(('currency', ''), ('meter__isnull', False), ('pricing_unit', None)), _connector='OR'), name='a_grant_is_of_one_thing'),
                        models.CheckConstraint(condition=models.Q(('balance__gte', 0), ('balance__lte', models.F('amount'))), name='grant_not_overdrawn'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='CreditMovement',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('grant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='movements', to='billing.creditgrant')),
                    ('kind', models.CharField(choices=[('granted', 'Granted'), ('drawn', 'Drawn'), ('returned', 'Returned'), ('expired', 'Expired'), ('rolled_over', 'Rolled Over'), ('voided', 'Voided')], max_length=12)),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('invoice', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='credit_movements', to='billing.invoice')),
                    ('line', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='credit_movements', to='billing.invoiceline')),
                    ('occurred_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['id'],
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
                    ('id', models.CharField(default=billing.models.late.late_usage_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='late_usage', to='billing.invoiceline')),
                    ('quantity', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('resolution', models.CharField(choices=[('open', 'Open'), ('adjusted', 'Adjusted'), ('written_off', 'Written Off')], default='open', max_length=12)),
                    ('adjustment', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='late_usage_of', to='billing.invoiceline')),
                    ('found_at', models.DateTimeField()),
                    ('resolved_at', models.DateTimeField(null=True)),
                ],
                options={
                    'verbose_name_plural': 'late usage',
                    'ordering': ['-id'],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('resolution', 'open')), fields=('line',), name='one_open_late_usage_per_line')],
                },
            ),
            migrations.CreateModel(
                name='Payment',
                fields=[
                    ('id', models.CharField(default=billing.models.payments.payment_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='billing.invoice')),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('currency', models.CharField(max_length=3)),
                    ('method', models.CharField(default='manual', max_length=40)),
                    ('reference', models.CharField(blank=True, max_length=200)),
                    ('refund_of', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='billing.payment')),
                    ('paid_at', models.DateTimeField()),
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
                    ('id', models.CharField(default=billing.models.payments.credit_note_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='billing.invoice')),
                    ('number', models.CharField(max_length=40)),
                    ('reason', models.TextField(blank=True)),
                    ('currency', models.CharField(max_length=3)),
                    ('subtotal', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('tax', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('total', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('applied', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('credited', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('refunded', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('issued_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['-id'],
                    'constraints': [
                        models.UniqueConstraint(fields=('organization', 'number'), name='credit_note_number_unique'),
                        models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(models.F('subtotal'), '+', models.F('tax')))), name='credit_note_is_its_parts'),
                        models.CheckConstraint(condition=models.Q(('total', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('applied'), '+', models.F('credited')), '+', models.F('refunded')))), name='credit_note_goes_somewhere'),
                    ],
                },
            ),
            migrations.CreateModel(
                name='CreditNoteLine',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('credit_note', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='billing.creditnote')),
                    ('line', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credited_by', to='billing.invoiceline')),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('tax', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                ],
                options={
                    'ordering': ['id'],
                },
            ),
            migrations.CreateModel(
                name='LedgerTransaction',
                fields=[
                    ('id', models.CharField(default=billing.models.ledger.ledger_transaction_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('void', 'Void'), ('write_off', 'Write Off'), ('payment', 'Payment'), ('refund', 'Refund'), ('credit_note', 'Credit Note'), ('credit', 'Credit'), ('revenue', 'Revenue')], max_length=12)),
                    ('source', models.CharField(max_length=200)),
                    ('occurred_at', models.DateTimeField()),
                    ('currency', models.CharField(max_length=3)),
                    ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='billing.customer')),
                    ('invoice', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.invoice')),
                    ('payment', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.payment')),
                    ('credit_note', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.creditnote')),
                    ('movement', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.creditmovement')),
                ],
                options={
                    'ordering': ['-id'],
                    'indexes': [
                        models.Index(fields=['organization', 'occurred_at'], name='ledger_by_time'),
                        models.Index(fields=['customer'], name='ledger_by_customer'),
                        models.Index(condition=models.Q(('invoice__isnull', False)), fields=['invoice'], name='ledger_by_invoice'),
                    ],
                    'constraints': [models.UniqueConstraint(fields=('organization', 'source'), name='nothing_is_booked_twice')],
                },
            ),
            migrations.CreateModel(
                name='LedgerEntry',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('transaction', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.ledgertransaction')),
                    ('account', models.CharField(choices=[('receivable', 'receivable'), ('cash', 'cash'), ('deferred_revenue', 'deferred_revenue'), ('tax_payable', 'tax_payable'), ('customer_credits', 'customer_credits'), ('revenue', 'revenue'), ('breakage', 'breakage'), ('promotion_expense', 'promotion_expense'), ('bad_debt', 'bad_debt')], max_length=20)),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
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
                    ('transaction', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deferrals', to='billing.ledgertransaction')),
                    ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to='billing.customer')),
                    ('line', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deferrals', to='billing.invoiceline')),
                    ('currency', models.CharField(max_length=3)),
                    ('amount', billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                    ('starts_on', models.DateField()),
                    ('ends_on', models.DateField()),
                    ('booked_at', models.DateTimeField()),
                    ('recognized', billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal('0'), max_digits=1000)),
                    ('recognized_until', models.DateField()),
                ],
                options={
                    'verbose_name_plural': 'deferred revenue',
                    'ordering': ['id'],
                    'indexes': [
                        models.Index(condition=models.Q(('recognized_until__lt', models.F('ends_on'))), fields=['organization', 'starts_on'], name='revenue_to_recognize'),
                        models.Index(fields=['line'], name='deferrals_of_line'),
                    ],
                    'constraints': [models.CheckConstraint(condition=models.Q(('ends_on__gt', models.F('starts_on'))), name='deferred_over_at_least_a_day')],
                },
            ),
            migrations.CreateModel(
                name='PlanMigration',
                fields=[
                    ('id', models.CharField(default=billing.models.migrations_of_plans.plan_migration_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('plan', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='migrations', to='billing.plan')),
                    ('to_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='billing.planversion')),
                    ('when', models.CharField(max_length=10)),
                    ('actor', models.CharField(max_length=254)),
                    ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed')], default='queued', max_length=10)),
                    ('total', models.IntegerField(default=0)),
                    ('moved', models.IntegerField(default=0)),
                    ('problems', models.JSONField(default=list)),
                    ('created_at', models.DateTimeField()),
                    ('finished_at', models.DateTimeField(null=True)),
                ],
                options={
                    'ordering': ['-id'],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['queued', 'running'])), fields=('plan',), name='one_active_migration_per_plan')],
                },
            ),
            migrations.CreateModel(
                name='OpenRevenue',
                fields=[
                    ('subscription', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='billing.subscription')),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization')),
                    ('currency', models.CharField(max_length=3)),
                    ('months', models.JSONField(default=dict)),
                    ('is_stale', models.BooleanField(default=False)),
                    ('priced_at', models.DateTimeField()),
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
                name='BillingPolicy',
                fields=[
                    ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                    ('grace_hours', models.PositiveSmallIntegerField(default=0, validators=[django.core.validators.MaxValueValidator(1440)])),
                    ('payment_days', models.PositiveSmallIntegerField(default=30, validators=[django.core.validators.MaxValueValidator(365)])),
                    ('late_usage', models.CharField(choices=[('adjust', 'Adjust'), ('write_off', 'Write Off')], default='adjust', max_length=10)),
                    ('zero_amount', models.CharField(choices=[('issue', 'Issue'), ('skip', 'Skip')], default='issue', max_length=10)),
                    ('issue', models.CharField(choices=[('month_close', 'Month Close'), ('when_due', 'When Due')], default='month_close', max_length=12)),
                ],
                options={
                    'verbose_name_plural': 'billing policies',
                },
            ),
            migrations.CreateModel(
                name='SellerLogo',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('digest', models.CharField(max_length=64)),
                    ('media_type', models.CharField(choices=[('image/png', 'Png'), ('image/svg+xml', 'Svg')], max_length=20)),
                    ('content', models.BinaryField()),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('organization', 'digest'), name='seller_logo_unique')],
                },
            ),
            migrations.CreateModel(
                name='SellerProfile',
                fields=[
                    ('id', models.CharField(default=billing.models.sellers.seller_profile_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
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
                    ('logo', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='billing.sellerlogo')),
                    ('created_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['-version'],
                    'constraints': [models.UniqueConstraint(fields=('organization', 'version'), name='seller_profile_version_unique')],
                },
            ),
            migrations.CreateModel(
                name='InvoiceIdentity',
                fields=[
                    ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='identity', serialize=False, to='billing.invoice')),
                    ('seller', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='billing.sellerprofile')),
                    ('buyer', models.JSONField()),
                ],
                options={
                    'verbose_name_plural': 'invoice identities',
                },
            ),
        ]),
        migrations.RunSQL(INVOICES, "DROP FUNCTION billing_guard_invoice, billing_guard_invoice_line CASCADE"),
        migrations.RunSQL(
            BOOKS,
            "DROP FUNCTION billing_refuse_change, billing_check_new_entries, billing_check_ledger_transaction, "
            "billing_guard_deferred_revenue, billing_check_credit_note CASCADE",
        ),
        migrations.RunSQL(SELLERS, "DROP FUNCTION billing_guard_sellers CASCADE"),
    ]
