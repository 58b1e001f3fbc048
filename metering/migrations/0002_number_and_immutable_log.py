"""The number a text is, if it is one; and a log that nobody edits."""

from django.db import migrations

# Reads every number that the door lets in, and NULL for any other text. Plain SQL, so that the planner can inline it.
NUMBER = r"""
CREATE FUNCTION metering_number(text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length($1) < 256 AND $1 ~ '^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$' THEN $1::numeric END
$$;
"""

IMMUTABLE = """
CREATE FUNCTION metering_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the usage event log is append-only; a correction takes an event back'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER metering_log_is_append_only BEFORE UPDATE ON metering_usageevent
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER metering_corrections_are_append_only BEFORE UPDATE OR DELETE ON metering_eventcorrection
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("metering", "0001_initial")]

    operations = [
        migrations.RunSQL(NUMBER, "DROP FUNCTION metering_number(text)"),
        migrations.RunSQL(
            IMMUTABLE,
            "DROP TRIGGER metering_log_is_append_only ON metering_usageevent;"
            "DROP TRIGGER metering_corrections_are_append_only ON metering_eventcorrection;"
            "DROP FUNCTION metering_refuse_change()",
        ),
    ]
