"""The books: tables, and what the database itself sees to."""

from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import billing.models.fields
import billing.models.ledger

TRIGGERS = """
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

BACKWARD = """
DROP TRIGGER billing_credit_note_lines_add_up ON billing_creditnoteline;
DROP TRIGGER billing_credit_notes_are_their_lines ON billing_creditnote;
DROP TRIGGER billing_deferred_revenue_moves_forward ON billing_deferredrevenue;
DROP TRIGGER billing_ledger_transactions_balance ON billing_ledgertransaction;
DROP TRIGGER billing_new_ledger_entries_balance ON billing_ledgerentry;
DROP TRIGGER billing_credit_note_lines_never_change ON billing_creditnoteline;
DROP TRIGGER billing_credit_notes_never_change ON billing_creditnote;
DROP TRIGGER billing_payments_never_change ON billing_payment;
DROP TRIGGER billing_ledger_entries_never_change ON billing_ledgerentry;
DROP TRIGGER billing_ledger_transactions_never_change ON billing_ledgertransaction;
DROP FUNCTION billing_check_credit_note();
DROP FUNCTION billing_guard_deferred_revenue();
DROP FUNCTION billing_check_ledger_transaction();
DROP FUNCTION billing_check_new_entries();
DROP FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("billing", "0006_whole_life_of_a_subscription"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="refund_of",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="billing.payment"
            ),
        ),
        migrations.CreateModel(
            name="LedgerTransaction",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=billing.models.ledger.ledger_transaction_id,
                        editable=False,
                        max_length=30,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("invoice", "Invoice"),
                            ("void", "Void"),
                            ("write_off", "Write Off"),
                            ("payment", "Payment"),
                            ("refund", "Refund"),
                            ("credit_note", "Credit Note"),
                            ("credit", "Credit"),
                            ("revenue", "Revenue"),
                        ],
                        max_length=12,
                    ),
                ),
                ("source", models.CharField(max_length=200)),
                ("occurred_at", models.DateTimeField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "credit_note",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="billing.creditnote"
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="billing.customer"
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="billing.invoice"
                    ),
                ),
                (
                    "movement",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="billing.creditmovement",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, to="accounts.organization"
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="billing.payment"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "account",
                    models.CharField(
                        choices=[
                            ("receivable", "receivable"),
                            ("cash", "cash"),
                            ("deferred_revenue", "deferred_revenue"),
                            ("tax_payable", "tax_payable"),
                            ("customer_credits", "customer_credits"),
                            ("revenue", "revenue"),
                            ("breakage", "breakage"),
                            ("promotion_expense", "promotion_expense"),
                            ("bad_debt", "bad_debt"),
                        ],
                        max_length=20,
                    ),
                ),
                ("amount", billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                (
                    "transaction",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="billing.ledgertransaction",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="DeferredRevenue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                ("amount", billing.models.fields.ExactDecimalField(decimal_places=200, max_digits=1000)),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField()),
                ("booked_at", models.DateTimeField()),
                (
                    "recognized",
                    billing.models.fields.ExactDecimalField(decimal_places=200, default=Decimal("0"), max_digits=1000),
                ),
                ("recognized_until", models.DateField()),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="billing.customer"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deferrals",
                        to="billing.invoiceline",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, to="accounts.organization"
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deferrals",
                        to="billing.ledgertransaction",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deferred revenue",
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="ledgertransaction",
            index=models.Index(fields=["organization", "occurred_at"], name="ledger_by_time"),
        ),
        migrations.AddIndex(
            model_name="ledgertransaction",
            index=models.Index(fields=["customer"], name="ledger_by_customer"),
        ),
        migrations.AddIndex(
            model_name="ledgertransaction",
            index=models.Index(
                condition=models.Q(("invoice__isnull", False)), fields=["invoice"], name="ledger_by_invoice"
            ),
        ),
        migrations.AddConstraint(
            model_name="ledgertransaction",
            constraint=models.UniqueConstraint(fields=("organization", "source"), name="nothing_is_booked_twice"),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(fields=["transaction"], name="entries_of_transaction"),
        ),
        migrations.AddConstraint(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount", 0), _negated=True), name="ledger_entry_is_not_nothing"
            ),
        ),
        migrations.AddIndex(
            model_name="deferredrevenue",
            index=models.Index(
                condition=models.Q(("recognized_until__lt", models.F("ends_on"))),
                fields=["organization", "starts_on"],
                name="revenue_to_recognize",
            ),
        ),
        migrations.AddIndex(
            model_name="deferredrevenue",
            index=models.Index(fields=["line"], name="deferrals_of_line"),
        ),
        migrations.AddConstraint(
            model_name="deferredrevenue",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_on__gt", models.F("starts_on"))), name="deferred_over_at_least_a_day"
            ),
        ),
        migrations.RunSQL(TRIGGERS, BACKWARD),
    ]
