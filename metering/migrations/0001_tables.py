"""The tables of this room, and what the database itself enforces."""

import django.contrib.postgres.fields
import django.db.models.deletion
import metering.models
import rest.columns
import rest.create_models
from django.db import migrations, models


# Reads every number that the door accepts, and NULL for any other text. Plain SQL, so that the planner can inline it.
NUMBER = r"""
CREATE FUNCTION metering_number(text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length($1) < 256 AND $1 ~ '^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$' THEN $1::numeric END
$$;
"""

# The log is append-only. A transaction that says it redacts may replace `data` (of a correction, its reason too).
REFUSE = """
CREATE FUNCTION metering_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('taximeter.redacting', TRUE) = 'on'
        AND to_jsonb(OLD) - ARRAY['data', 'reason'] = to_jsonb(NEW) - ARRAY['data', 'reason'] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the usage event log is append-only; a correction takes an event back'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""

# FALSE where the month's events stay in the default partition: it has some already, or is busy.
# The database checks that nothing of the month is in the default partition, which blocks its readers and writers.
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

# Text stays where `kept` names its place, and where it is encrypted, erased, a time or a short number. Equal texts
# become equal tokens. Numbers and the names of fields stay.
REDACT = r"""
CREATE FUNCTION metering_redact(value jsonb, place text, kept text[], salt bytea) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    content text;
BEGIN
    CASE jsonb_typeof(value)
    WHEN 'object' THEN
        RETURN (SELECT coalesce(jsonb_object_agg(part.key, metering_redact(part.value, place || '.' || part.key, kept,
                                                                          salt)), '{}')
                FROM jsonb_each(value) AS part);
    WHEN 'array' THEN
        RETURN (SELECT coalesce(jsonb_agg(metering_redact(part.value, place, kept, salt) ORDER BY part.ordinality), '[]')
                FROM jsonb_array_elements(value) WITH ORDINALITY AS part);
    WHEN 'string' THEN
        content := value #>> '{}';
        IF place = ANY (kept) OR content = ''
            OR content ~ '^(sealed:[0-9]+:[A-Za-z0-9_=-]+|erased:[0-9a-f]{16}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+Z-]+)$'
            OR (metering_number(content) IS NOT NULL AND content !~ '^\+?[0-9]{7,}$') THEN
            RETURN value;
        END IF;
        RETURN to_jsonb('erased:' || left(encode(sha256(salt || convert_to(content, 'UTF8')), 'hex'), 16));
    ELSE
        RETURN value;
    END CASE;
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
    sent_by text,
    subscription text,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id()
) PARTITION BY RANGE (time);
CREATE INDEX event_by_transaction ON metering_usageevent (organization_id, xid);
CREATE INDEX event_by_customer_and_time ON metering_usageevent (organization_id, subject, time);
CREATE INDEX event_by_time ON metering_usageevent (organization_id, time, identity);
CREATE INDEX event_by_sender ON metering_usageevent (organization_id, sent_by, received_at) WHERE sent_by IS NOT NULL;
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

    initial = True

    dependencies = [
        ('accounts', '0001_tables'),
    ]

    operations = [
        migrations.RunSQL(
            sql=NUMBER,
            reverse_sql="DROP FUNCTION metering_number",
        ),
        migrations.RunSQL(
            sql=REFUSE,
            reverse_sql="DROP FUNCTION metering_refuse_change CASCADE",
        ),
        migrations.RunSQL(
            sql=MAKE_PARTITION,
            reverse_sql="DROP FUNCTION metering_make_partition",
        ),
        migrations.RunSQL(
            sql=REDACT,
            reverse_sql="DROP FUNCTION metering_redact(jsonb, text, text[], bytea)",
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    sql=LOG,
                    reverse_sql="DROP TABLE metering_usageevent",
                ),
            ],
            state_operations=[
                migrations.CreateModel(
                    name='UsageEvent',
                    fields=[
                        ('identity', models.UUIDField(primary_key=True, serialize=False)),
                        ('source', models.TextField()),
                        ('event_id', models.TextField()),
                        ('type', models.TextField()),
                        ('subject', models.TextField(null=True)),
                        ('time', models.DateTimeField()),
                        ('received_at', models.DateTimeField()),
                        ('data', models.JSONField()),
                        ('xid', metering.models.Xid8Field(db_default=metering.models.CurrentTransaction())),
                        ('sent_by', models.TextField(null=True)),
                        ('subscription', models.TextField(null=True)),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                    ],
                    options={
                        'indexes': [models.Index(fields=['organization', 'xid'], name='event_by_transaction'), models.Index(fields=['organization', 'subject', 'time'], name='event_by_customer_and_time'), models.Index(fields=['organization', 'time', 'identity'], name='event_by_time'), models.Index(condition=models.Q(('sent_by__isnull', False)), fields=['organization', 'sent_by', 'received_at'], name='event_by_sender')],
                    },
                ),
            ],
        ),
        rest.create_models.CreateModels(
            models=[
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
                    name='NamedUsage',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('subject', models.TextField()),
                        ('subscription', models.TextField()),
                        ('day', models.DateField()),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'named usage',
                        'constraints': [models.UniqueConstraint(fields=('organization', 'subject', 'subscription', 'day'), name='named_usage_once_a_day')],
                    },
                ),
                migrations.CreateModel(
                    name='EventCorrection',
                    fields=[
                        ('id', models.CharField(default=metering.models._correction_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('reason', models.TextField()),
                        ('created_at', models.DateTimeField()),
                        ('source', models.TextField()),
                        ('sent_id', models.TextField()),
                        ('type', models.TextField()),
                        ('subject', models.TextField(null=True)),
                        ('time', models.DateTimeField()),
                        ('data', models.JSONField()),
                        ('xid', metering.models.Xid8Field(db_default=metering.models.CurrentTransaction())),
                        ('organization', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                        ('event', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='correction', to='metering.usageevent')),
                    ],
                    options={
                        'indexes': [models.Index(fields=['organization', 'xid'], name='correction_by_transaction')],
                    },
                ),
                migrations.CreateModel(
                    name='VoidRun',
                    fields=[
                        ('id', models.CharField(default=metering.models._void_run_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('sent_by', models.TextField()),
                        ('start', models.DateTimeField()),
                        ('end', models.DateTimeField()),
                        ('reason', models.TextField()),
                        ('created_by', models.CharField(max_length=254)),
                        ('created_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('events', models.BigIntegerField()),
                        ('voided', models.BigIntegerField(default=0)),
                        ('position', models.DateTimeField(null=True)),
                        ('archives', models.JSONField(default=dict)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'indexes': [models.Index(fields=['organization', 'id'], name='void_runs_of_organization')],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('organization', 'sent_by'), name='one_void_run_per_sender')],
                    },
                ),
                migrations.CreateModel(
                    name='QuarantinedEvent',
                    fields=[
                        ('id', models.CharField(default=metering.models._quarantined_event_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('identity', models.UUIDField(unique=True)),
                        ('source', models.TextField()),
                        ('event_id', models.TextField()),
                        ('type', models.TextField()),
                        ('subject', models.TextField(null=True)),
                        ('subscription', models.TextField(null=True)),
                        ('time', models.DateTimeField()),
                        ('received_at', models.DateTimeField()),
                        ('data', models.JSONField()),
                        ('sent_by', models.TextField(null=True)),
                        ('reason', models.TextField()),
                        ('detail', models.TextField()),
                        ('state', models.TextField(choices=[('quarantined', 'Quarantined'), ('released', 'Released'), ('discarded', 'Discarded')], default='quarantined')),
                        ('decided_at', models.DateTimeField(null=True)),
                        ('decided_by', models.TextField(blank=True, default='')),
                        ('decision_reason', models.TextField(blank=True, db_default='', default='')),
                        ('organization', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                    ],
                    options={
                        'ordering': ['id'],
                        'indexes': [models.Index(fields=['organization', 'state', 'id'], name='quarantine_by_state')],
                    },
                ),
                migrations.CreateModel(
                    name='SubjectAlias',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('subject', models.TextField()),
                        ('target', models.TextField()),
                        ('xid', metering.models.Xid8Field(db_default=metering.models.CurrentTransaction())),
                        ('created_at', models.DateTimeField()),
                        ('settled_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'subject aliases',
                        'constraints': [models.UniqueConstraint(fields=('organization', 'subject'), name='subject_alias_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='Redaction',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('subject', models.TextField()),
                        ('salt', models.BinaryField()),
                        ('kept', models.JSONField(default=list)),
                        ('time', models.DateTimeField(null=True)),
                        ('identity', models.UUIDField(null=True)),
                        ('events', models.BigIntegerField(default=0)),
                        ('created_at', models.DateTimeField()),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                ),
                migrations.CreateModel(
                    name='Meter',
                    fields=[
                        ('id', models.CharField(default=metering.models._meter_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=128)),
                        ('name', models.CharField(max_length=200)),
                        ('unit', models.CharField(blank=True, max_length=50)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
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
                        ('number', models.IntegerField(default=1)),
                        ('definition', models.JSONField()),
                        ('projected_to', metering.models.Xid8Field(default=0)),
                        ('unbounded', models.BooleanField(db_default=False, default=False)),
                        ('archived', models.JSONField(db_default={}, default=dict)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('meter', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='metering.meter')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('meter', 'number'), name='meter_version_number_unique')],
                    },
                ),
                migrations.CreateModel(
                    name='UsageBucket',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('scope', models.SmallIntegerField(choices=[(0, 'Customer'), (1, 'Organization')])),
                        ('subject', models.TextField(null=True)),
                        ('day', models.DateTimeField()),
                        ('group_hash', models.BinaryField()),
                        ('dimensions', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(null=True), size=None)),
                        ('value', models.TextField(null=True)),
                        ('events', models.BigIntegerField()),
                        ('quantity', rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000)),
                        ('part_starts', django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), size=None)),
                        ('part_events', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                        ('part_quantities', django.contrib.postgres.fields.ArrayField(base_field=rest.columns.ExactDecimalField(decimal_places=200, max_digits=1000), size=None)),
                        ('meter_version', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='metering.meterversion')),
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
                        ('events', models.BigIntegerField()),
                        ('first_time', models.DateTimeField()),
                        ('last_time', models.DateTimeField()),
                        ('first_xid', metering.models.Xid8Field()),
                        ('last_xid', metering.models.Xid8Field()),
                        ('organization', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, to='accounts.organization')),
                        ('archive', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='organizations', to='metering.logarchive')),
                    ],
                ),
            ],
        ),
        migrations.RunSQL(
            sql=RULES,
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
