"""Post invoices that were finalized before there was a ledger, and what was paid for them.

Void ones leave nothing in the books and are left out. Ids are the invoices' own, so they stand in order of time; the
last letter of those of payments and write-offs is none that an id's alphabet has.
"""

from django.db import migrations

FORWARD = """
CREATE TEMPORARY TABLE unposted ON COMMIT DROP AS
SELECT i.*, c.timezone FROM billing_invoice i JOIN billing_customer c ON c.id = i.customer_id
WHERE i.number IS NOT NULL AND i.status <> 'void' AND NOT EXISTS (
    SELECT FROM billing_ledgertransaction t
    WHERE t.organization_id = i.organization_id AND t.source = 'invoice:' || i.id);

CREATE TEMPORARY TABLE unposted_sides ON COMMIT DROP AS
SELECT u.id AS invoice_id, side.account, side.amount
FROM unposted u
JOIN LATERAL (
    SELECT coalesce(sum(l.amount - l.discount) FILTER (WHERE l.period_end <= u.finalized_at), 0) AS earned,
        coalesce(sum(l.amount - l.discount) FILTER (WHERE l.period_end > u.finalized_at), 0) AS deferred
    FROM billing_invoiceline l WHERE l.invoice_id = u.id
) AS lines ON true
JOIN LATERAL (VALUES ('receivable', u.total), ('revenue', -lines.earned), ('deferred_revenue', -lines.deferred),
    ('tax_payable', -u.tax)) AS side (account, amount) ON side.amount <> 0;

INSERT INTO billing_ledgertransaction
    (id, organization_id, kind, source, occurred_at, currency, customer_id, invoice_id)
SELECT 'ltx_' || substr(id, 5), organization_id, 'invoice', 'invoice:' || id, finalized_at, currency, customer_id, id
FROM unposted WHERE id IN (SELECT invoice_id FROM unposted_sides);

INSERT INTO billing_ledgerentry (transaction_id, account, amount)
SELECT 'ltx_' || substr(invoice_id, 5), account, amount FROM unposted_sides;

INSERT INTO billing_deferredrevenue (transaction_id, organization_id, customer_id, currency, booked_at, line_id, amount,
    starts_on, ends_on, recognized, recognized_until)
SELECT 'ltx_' || substr(u.id, 5), u.organization_id, u.customer_id, u.currency, u.finalized_at, l.id,
    l.amount - l.discount, (l.period_start AT TIME ZONE u.timezone)::date,
    ((l.period_end - interval '1 microsecond') AT TIME ZONE u.timezone)::date + 1, 0,
    (l.period_start AT TIME ZONE u.timezone)::date
FROM unposted u JOIN billing_invoiceline l ON l.invoice_id = u.id
WHERE l.period_end > u.finalized_at AND l.amount <> l.discount;

CREATE TEMPORARY TABLE unposted_payments ON COMMIT DROP AS
SELECT u.*, u.total - u.credits_applied - u.amount_due AS paid FROM unposted u
WHERE u.status = 'paid' AND u.total - u.credits_applied > u.amount_due
  AND NOT EXISTS (SELECT FROM billing_payment p WHERE p.invoice_id = u.id);

INSERT INTO billing_payment (id, organization_id, invoice_id, amount, currency, method, reference, paid_at)
SELECT 'pay_' || substr(id, 5), organization_id, id, paid, currency, 'manual', '', coalesce(paid_at, finalized_at)
FROM unposted_payments;

INSERT INTO billing_ledgertransaction
    (id, organization_id, kind, source, occurred_at, currency, customer_id, invoice_id, payment_id)
SELECT 'ltx_' || substr(id, 5, 25) || 'U', organization_id, 'payment', 'payment:pay_' || substr(id, 5),
    coalesce(paid_at, finalized_at), currency, customer_id, id, 'pay_' || substr(id, 5)
FROM unposted_payments;

INSERT INTO billing_ledgerentry (transaction_id, account, amount)
SELECT 'ltx_' || substr(u.id, 5, 25) || 'U', side.account, side.amount
FROM unposted_payments u
JOIN LATERAL (VALUES ('cash', u.paid), ('receivable', -u.paid)) AS side (account, amount) ON true;

INSERT INTO billing_ledgertransaction
    (id, organization_id, kind, source, occurred_at, currency, customer_id, invoice_id)
SELECT 'ltx_' || substr(id, 5, 25) || 'O', organization_id, 'write_off', 'write_off:' || id || ':1', finalized_at,
    currency, customer_id, id
FROM unposted WHERE status = 'uncollectible' AND amount_due > 0;

INSERT INTO billing_ledgerentry (transaction_id, account, amount)
SELECT 'ltx_' || substr(u.id, 5, 25) || 'O', side.account, side.amount
FROM unposted u
JOIN LATERAL (VALUES ('bad_debt', u.amount_due), ('receivable', -u.amount_due)) AS side (account, amount) ON true
WHERE u.status = 'uncollectible' AND u.amount_due > 0;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_versions_of_a_customer")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
