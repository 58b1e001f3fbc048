"""The tables of this room and what the database itself sees to, for an empty database; others go step by step."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import metering.models
from rest.create_models import CreateModels

# Reads every number that the door lets in, and NULL for any other text. Plain SQL, so that the planner can inline it.
NUMBER = r"""
CREATE FUNCTION metering_number(text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length($1) < 256 AND $1 ~ '^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$' THEN $1::numeric END
$$;
"""

# For a log that nobody edits.
REFUSE = """
CREATE FUNCTION metering_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the usage event log is append-only; a correction takes an event back'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""

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

# In partitions by month, which Django does not make; identities stand apart from it.
LOG = """
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
CREATE TRIGGER metering_log_is_append_only BEFORE UPDATE ON metering_usageevent
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
"""

RULES = """
CREATE TRIGGER metering_corrections_are_append_only BEFORE UPDATE OR DELETE ON metering_eventcorrection
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER metering_identities_are_append_only BEFORE UPDATE OR DELETE ON metering_eventidentity
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
ALTER TABLE metering_eventcorrection ADD CONSTRAINT correction_of_a_known_event
    FOREIGN KEY (event_id) REFERENCES metering_eventidentity (identity) DEFERRABLE INITIALLY DEFERRED;
-- Room on each page for a bucket to grow without touching its indexes.
ALTER TABLE metering_usagebucket SET (fillfactor = 80);
"""


class Migration(migrations.Migration):
    replaces = [
        ('metering', '0001_initial'),
        ('metering', '0002_number_and_immutable_log'),
        ('metering', '0003_event_by_time'),
        ('metering', '0004_daily_buckets'),
        ('metering', '0005_partitioned_log'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(NUMBER, "DROP FUNCTION metering_number"),
        migrations.RunSQL(REFUSE, "DROP FUNCTION metering_refuse_change CASCADE"),
        migrations.RunSQL(MAKE_PARTITION, "DROP FUNCTION metering_make_partition"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='UsageEvent',
                    fields=[
                        ('identity', models.UUIDField(primary_key=True, serialize=False)),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                        ('source', models.TextField()),
                        ('event_id', models.TextField()),
                        ('type', models.TextField()),
                        ('subject', models.TextField(null=True)),
                        ('time', models.DateTimeField()),
                        ('received_at', models.DateTimeField()),
                        ('data', models.JSONField()),
                        ('xid', metering.models.Xid8Field(db_default=metering.models.CurrentTransaction())),
                    ],
                    options={
                        'indexes': [
                            models.Index(fields=['organization', 'xid'], name='event_by_transaction'),
                            models.Index(fields=['organization', 'subject', 'time'], name='event_by_customer_and_time'),
                            models.Index(fields=['organization', 'time', 'identity'], name='event_by_time'),
                        ],
                    },
                ),
            ],
            database_operations=[migrations.RunSQL(LOG, "DROP TABLE metering_usageevent")],
        ),
        CreateModels([
            migrations.CreateModel(
                name='EventIdentity',
                fields=[
                    ('identity', models.UUIDField(primary_key=True, serialize=False)),
                    ('content_hash', models.UUIDField()),
                    ('time', models.DateTimeField()),
                ],
                options={
                    'verbose_name_plural': 'event identities',
                },
            ),
            migrations.CreateModel(
                name='EventCorrection',
                fields=[
                    ('id', models.CharField(default=metering.models._correction_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                    ('event', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='correction', to='metering.usageevent')),
                    ('reason', models.TextField()),
                    ('created_at', models.DateTimeField()),
                    ('source', models.TextField()),
                    ('sent_id', models.TextField()),
                    ('type', models.TextField()),
                    ('subject', models.TextField(null=True)),
                    ('time', models.DateTimeField()),
                    ('data', models.JSONField()),
                    ('xid', metering.models.Xid8Field(db_default=metering.models.CurrentTransaction())),
                ],
                options={
                    'indexes': [models.Index(fields=['organization', 'xid'], name='correction_by_transaction')],
                },
            ),
            migrations.CreateModel(
                name='Meter',
                fields=[
                    ('id', models.CharField(default=metering.models._meter_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                    ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ('key', models.CharField(max_length=128)),
                    ('name', models.CharField(max_length=200)),
                    ('unit', models.CharField(blank=True, max_length=50)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'ordering': ['id'],
                    'constraints': [models.UniqueConstraint(fields=('organization', 'key'), name='meter_key_unique')],
                },
            ),
            migrations.CreateModel(
                name='MeterVersion',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('meter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='metering.meter')),
                    ('number', models.IntegerField(default=1)),
                    ('definition', models.JSONField()),
                    ('projected_to', metering.models.Xid8Field(default=0)),
                    ('unbounded', models.BooleanField(db_default=False, default=False)),
                    ('archived', models.JSONField(db_default={}, default=dict)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('meter', 'number'), name='meter_version_number_unique')],
                },
            ),
            migrations.CreateModel(
                name='UsageBucket',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('meter_version', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='metering.meterversion')),
                    ('scope', models.SmallIntegerField(choices=[(0, 'Customer'), (1, 'Organization')])),
                    ('subject', models.TextField(null=True)),
                    ('day', models.DateTimeField()),
                    ('group_hash', models.BinaryField()),
                    ('dimensions', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(null=True), size=None)),
                    ('value', models.TextField(null=True)),
                    ('events', models.BigIntegerField()),
                    ('quantity', metering.models.NumericField(decimal_places=200, max_digits=1000)),
                    ('part_starts', django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), size=None)),
                    ('part_events', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                    ('part_quantities', django.contrib.postgres.fields.ArrayField(base_field=metering.models.NumericField(decimal_places=200, max_digits=1000), size=None)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('meter_version', 'scope', 'subject', 'day', 'group_hash'), name='one_bucket_per_day_and_group', nulls_distinct=False)],
                },
            ),
            migrations.CreateModel(
                name='LogArchive',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('month', models.DateField()),
                    ('part', models.IntegerField()),
                    ('file', models.CharField(max_length=200)),
                    ('sha256', models.CharField(max_length=64)),
                    ('size', models.BigIntegerField()),
                    ('events', models.BigIntegerField()),
                    ('row_groups', models.IntegerField()),
                    ('created_at', models.DateTimeField()),
                ],
                options={
                    'ordering': ['month', 'part'],
                    'constraints': [models.UniqueConstraint(fields=('month', 'part'), name='archive_part_unique')],
                },
            ),
            migrations.CreateModel(
                name='ArchivedOrganization',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('archive', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='organizations', to='metering.logarchive')),
                    ('organization', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                    ('events', models.BigIntegerField()),
                    ('first_time', models.DateTimeField()),
                    ('last_time', models.DateTimeField()),
                    ('first_xid', metering.models.Xid8Field()),
                    ('last_xid', metering.models.Xid8Field()),
                ],
            ),
        ]),
        migrations.RunSQL(RULES, migrations.RunSQL.noop),
    ]
