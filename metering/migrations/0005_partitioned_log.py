"""The log in partitions by month, identities apart from it, and corrections that keep what they take back.

Existing events are copied, in one transaction: a log of ten million takes a few minutes.
"""

import django.db.models.deletion
from django.db import migrations, models

import metering.models

# FALSE where the month's events stay in the default partition: it has some already, or is busy.
# The database makes sure that nothing of the month is in the default partition, which holds up its readers and writers.
MAKE_PARTITION = """
CREATE FUNCTION metering_make_partition(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first timestamp := date_trunc('month', month::timestamp);
    name text := 'metering_usageevent_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN TRUE; END IF;
    PERFORM set_config('lock_timeout', '2s', TRUE);
    PERFORM pg_advisory_xact_lock(hashtext('metering_make_partition'));
    EXECUTE format('CREATE TABLE %I (LIKE metering_usageevent INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE metering_usageevent ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
                   first AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
    RETURN TRUE;
EXCEPTION WHEN duplicate_table THEN  -- by whoever had the lock before
    RETURN TRUE;
WHEN check_violation OR lock_not_available THEN
    RETURN FALSE;
END $$;
"""

SPLIT = """
INSERT INTO metering_eventidentity (identity, content_hash, time)
SELECT identity, content_hash, time FROM metering_usageevent;

ALTER TABLE metering_usageevent RENAME TO metering_usageevent_before;
DROP INDEX event_by_transaction, event_by_customer_and_time, event_by_time;

CREATE TABLE metering_usageevent (
    identity uuid NOT NULL,
    organization_id bigint NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text,
    time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    data jsonb NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
) PARTITION BY RANGE (time);
CREATE INDEX event_by_transaction ON metering_usageevent (organization_id, xid);
CREATE INDEX event_by_customer_and_time ON metering_usageevent (organization_id, subject, time);
CREATE INDEX event_by_time ON metering_usageevent (organization_id, time, identity);
CREATE TABLE metering_usageevent_other PARTITION OF metering_usageevent DEFAULT;

SELECT metering_make_partition(month::date) FROM (
    SELECT DISTINCT date_trunc('month', time AT TIME ZONE 'UTC') AS month FROM metering_usageevent_before
    WHERE time >= now() - interval '3 years' AND time < now() + interval '2 months'
) months;
INSERT INTO metering_usageevent (identity, organization_id, source, event_id, type, subject, time, received_at, data, xid)
SELECT identity, organization_id, source, event_id, type, subject, time, received_at, data, xid
FROM metering_usageevent_before ORDER BY xid;

DROP TABLE metering_usageevent_before;
CREATE TRIGGER metering_log_is_append_only BEFORE UPDATE ON metering_usageevent
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER metering_identities_are_append_only BEFORE UPDATE OR DELETE ON metering_eventidentity
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
"""

KEEP_IN_CORRECTIONS = """
ALTER TABLE metering_eventcorrection DISABLE TRIGGER metering_corrections_are_append_only;
UPDATE metering_eventcorrection c
SET source = e.source, sent_id = e.event_id, type = e.type, subject = e.subject, time = e.time, data = e.data
FROM metering_usageevent e WHERE e.identity = c.event_id;
ALTER TABLE metering_eventcorrection ENABLE TRIGGER metering_corrections_are_append_only;
ALTER TABLE metering_eventcorrection ALTER source SET NOT NULL, ALTER sent_id SET NOT NULL, ALTER type SET NOT NULL,
    ALTER time SET NOT NULL, ALTER data SET NOT NULL;
"""

CORRECTED_EXISTS = """
ALTER TABLE metering_eventcorrection ADD CONSTRAINT correction_of_a_known_event
    FOREIGN KEY (event_id) REFERENCES metering_eventidentity (identity) DEFERRABLE INITIALLY DEFERRED;
"""

ADDED = {
    "source": (models.TextField(), "text"),
    "sent_id": (models.TextField(), "text"),
    "type": (models.TextField(), "text"),
    "subject": (models.TextField(null=True), "text"),
    "time": (models.DateTimeField(), "timestamptz"),
    "data": (models.JSONField(), "jsonb"),
}


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("metering", "0004_daily_buckets")]

    operations = [
        migrations.AlterField(
            "eventcorrection",
            "event",
            models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="correction",
                to="metering.usageevent",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField("eventcorrection", name, field, preserve_default=False)
                for name, (field, _) in ADDED.items()
            ],
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE metering_eventcorrection "
                    + ", ".join(f"ADD COLUMN {name} {kind}" for name, (_, kind) in ADDED.items())
                ),
                migrations.RunSQL(KEEP_IN_CORRECTIONS),
            ],
        ),
        migrations.CreateModel(
            name="EventIdentity",
            fields=[
                ("identity", models.UUIDField(primary_key=True, serialize=False)),
                ("content_hash", models.UUIDField()),
                ("time", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "event identities"},
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("usageevent", "content_hash"),
                migrations.RemoveIndex("usageevent", "event_by_time"),
                migrations.AddIndex(
                    "usageevent",
                    models.Index(fields=["organization", "time", "identity"], name="event_by_time"),
                ),
            ],
            database_operations=[
                migrations.RunSQL(MAKE_PARTITION),
                migrations.RunSQL(SPLIT),
                migrations.RunSQL(CORRECTED_EXISTS),
            ],
        ),
        migrations.AddField("meterversion", "archived", models.JSONField(db_default={}, default=dict)),
        migrations.CreateModel(
            name="LogArchive",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("part", models.IntegerField()),
                ("file", models.CharField(max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.BigIntegerField()),
                ("events", models.BigIntegerField()),
                ("row_groups", models.IntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["month", "part"],
                "constraints": [models.UniqueConstraint(fields=("month", "part"), name="archive_part_unique")],
            },
        ),
        migrations.CreateModel(
            name="ArchivedOrganization",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("events", models.BigIntegerField()),
                ("first_time", models.DateTimeField()),
                ("last_time", models.DateTimeField()),
                ("first_xid", metering.models.Xid8Field()),
                ("last_xid", metering.models.Xid8Field()),
                (
                    "archive",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="organizations",
                        to="metering.logarchive",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to="accounts.organization"
                    ),
                ),
            ],
        ),
    ]
