"""The tables of this room, and what the database itself enforces."""

import accounts.models
import django.contrib.postgres.fields
import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
import rest.create_models
from django.conf import settings
from django.db import migrations, models


# The audit trail is append-only.
AUDIT_TRAIL = """
CREATE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER accounts_audit_entries_never_change BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER accounts_audit_trail_is_never_emptied BEFORE TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        rest.create_models.CreateModels(
            models=[
                migrations.CreateModel(
                    name='Organization',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('public_id', models.CharField(default=accounts.models._organization_id, editable=False, max_length=30, unique=True)),
                        ('key', models.CharField(max_length=128, unique=True)),
                        ('name', models.CharField(max_length=200)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('requires_two_factor', models.BooleanField(default=False)),
                    ],
                    options={
                        'ordering': ['name'],
                    },
                ),
                migrations.CreateModel(
                    name='User',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('password', models.CharField(max_length=128, verbose_name='password')),
                        ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                        ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                        ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                        ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                        ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                        ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                        ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                        ('email', models.EmailField(max_length=254, unique=True, verbose_name='e-mail address')),
                        ('sessions_ended', models.IntegerField(default=0, editable=False)),
                        ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                        ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
                    ],
                    options={
                        'verbose_name': 'user',
                        'verbose_name_plural': 'users',
                        'abstract': False,
                    },
                ),
                migrations.CreateModel(
                    name='Session',
                    fields=[
                        ('key_hash', models.CharField(editable=False, max_length=64, primary_key=True, serialize=False)),
                        ('public_id', models.CharField(default=accounts.models._session_id, editable=False, max_length=30, unique=True)),
                        ('session_data', models.TextField()),
                        ('signed_in_at', models.DateTimeField(null=True)),
                        ('last_seen_at', models.DateTimeField()),
                        ('expire_date', models.DateTimeField(db_index=True)),
                        ('address', models.CharField(max_length=64, null=True)),
                        ('user_agent', models.CharField(blank=True, max_length=300)),
                        ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL)),
                    ],
                ),
                migrations.CreateModel(
                    name='SignInProvider',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='sign_in_provider', serialize=False, to='accounts.organization')),
                        ('issuer', models.CharField(max_length=500)),
                        ('client_id', models.CharField(max_length=255)),
                        ('client_secret', models.BinaryField(blank=True, default=bytes)),
                        ('role_claim', models.CharField(default='groups', max_length=100)),
                        ('roles', models.JSONField(default=dict)),
                        ('is_required', models.BooleanField(default=False)),
                        ('created_at', models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name='SignInIdentity',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('issuer', models.CharField(max_length=500)),
                        ('subject', models.CharField(max_length=255)),
                        ('created_at', models.DateTimeField()),
                        ('last_used_at', models.DateTimeField()),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_in_identities', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'verbose_name': 'sign-in identity',
                        'verbose_name_plural': 'sign-in identities',
                        'constraints': [models.UniqueConstraint(fields=('organization', 'issuer', 'subject'), name='one_person_per_subject_of_a_provider')],
                    },
                ),
                migrations.CreateModel(
                    name='Membership',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('role', models.CharField(choices=[('owner', 'Owner'), ('admin', 'Admin'), ('finance', 'Finance'), ('developer', 'Developer'), ('viewer', 'Viewer')], max_length=20)),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='accounts.organization')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('organization', 'user'), name='one_membership_per_person')],
                    },
                ),
                migrations.CreateModel(
                    name='Invitation',
                    fields=[
                        ('id', models.CharField(default=accounts.models._invitation_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('email', models.EmailField(max_length=254, verbose_name='e-mail address')),
                        ('role', models.CharField(choices=[('owner', 'Owner'), ('admin', 'Admin'), ('finance', 'Finance'), ('developer', 'Developer'), ('viewer', 'Viewer')], max_length=20)),
                        ('invited_by', models.CharField(max_length=254)),
                        ('sender', models.CharField(default='system', max_length=64)),
                        ('token_hash', models.BinaryField(max_length=32, unique=True)),
                        ('created_at', models.DateTimeField()),
                        ('expires_at', models.DateTimeField()),
                        ('accepted_at', models.DateTimeField(blank=True, null=True)),
                        ('revoked_at', models.DateTimeField(blank=True, null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='accounts.organization')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(condition=models.Q(('accepted_at', None), ('revoked_at', None)), fields=('organization', 'email'), name='one_open_invitation_per_address')],
                    },
                ),
                migrations.CreateModel(
                    name='ApiKey',
                    fields=[
                        ('id', models.CharField(default=accounts.models._api_key_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('name', models.CharField(blank=True, max_length=200)),
                        ('secret_hash', models.BinaryField(max_length=32, unique=True)),
                        ('hint', models.CharField(max_length=20)),
                        ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None)),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('revoked_at', models.DateTimeField(blank=True, null=True)),
                        ('expires_at', models.DateTimeField(blank=True, null=True)),
                        ('last_used_at', models.DateTimeField(blank=True, null=True)),
                        ('customer', models.CharField(blank=True, max_length=128, null=True)),
                        ('created_by', models.CharField(blank=True, max_length=254)),
                        ('has_maker', models.BooleanField(default=False)),
                        ('bounds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, default=list, size=None)),
                        ('needs_review', models.BooleanField(default=False)),
                        ('maker', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='api_keys', to=settings.AUTH_USER_MODEL)),
                        ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='accounts.apikey')),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_keys', to='accounts.organization')),
                    ],
                    options={
                        'verbose_name': 'API key',
                    },
                ),
                migrations.CreateModel(
                    name='AuditEntry',
                    fields=[
                        ('id', models.CharField(default=accounts.models._audit_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('actor', models.CharField(max_length=254)),
                        ('action', models.CharField(max_length=100)),
                        ('target', models.CharField(max_length=200)),
                        ('detail', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                        ('at', models.DateTimeField(auto_now_add=True)),
                        ('api_key', models.CharField(blank=True, max_length=30, null=True)),
                        ('address', models.GenericIPAddressField(blank=True, null=True)),
                        ('organization', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'audit entries',
                        'indexes': [models.Index(fields=['organization', 'at'], name='accounts_au_organiz_d70af8_idx'), models.Index(fields=['organization', 'id'], name='audit_by_organization'), models.Index(fields=['organization', 'target', 'id'], name='audit_by_target')],
                    },
                ),
                migrations.CreateModel(
                    name='PortalAccess',
                    fields=[
                        ('id', models.CharField(default=accounts.models._portal_access_id, editable=False, max_length=30, primary_key=True, serialize=False)),
                        ('customer', models.CharField(max_length=30)),
                        ('created_by', models.CharField(max_length=254)),
                        ('sender', models.CharField(default='system', max_length=64)),
                        ('created_at', models.DateTimeField()),
                        ('token_hash', models.BinaryField(max_length=32, unique=True)),
                        ('expires_at', models.DateTimeField()),
                        ('used_at', models.DateTimeField(blank=True, null=True)),
                        ('session_hash', models.BinaryField(max_length=32, null=True, unique=True)),
                        ('session_expires_at', models.DateTimeField(blank=True, null=True)),
                        ('revoked_at', models.DateTimeField(blank=True, null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'verbose_name_plural': 'portal accesses',
                        'indexes': [models.Index(fields=['organization', 'customer'], name='portal_by_customer')],
                    },
                ),
                migrations.CreateModel(
                    name='Throttle',
                    fields=[
                        ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                        ('count', models.IntegerField(default=0)),
                        ('last_at', models.DateTimeField()),
                    ],
                    options={
                        'indexes': [models.Index(fields=['last_at'], name='throttle_by_time')],
                    },
                ),
                migrations.CreateModel(
                    name='CustomerKey',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('holder', models.TextField()),
                        ('purpose', models.CharField(choices=[('personal', 'Personal'), ('events', 'Events'), ('documents', 'Documents')], max_length=10)),
                        ('wrapped', models.BinaryField()),
                        ('created_at', models.DateTimeField(auto_now_add=True)),
                        ('destroyed_at', models.DateTimeField(blank=True, null=True)),
                        ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(condition=models.Q(('destroyed_at', None)), fields=('organization', 'holder', 'purpose'), name='one_customer_key_per_purpose')],
                    },
                ),
                migrations.CreateModel(
                    name='PrivacyPolicy',
                    fields=[
                        ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='accounts.organization')),
                        ('retention_years', models.SmallIntegerField(default=10)),
                        ('personal_fields', models.JSONField(default=list)),
                    ],
                    options={
                        'verbose_name_plural': 'privacy policies',
                    },
                ),
            ],
        ),
        migrations.RunSQL(
            sql=AUDIT_TRAIL,
            reverse_sql="DROP FUNCTION accounts_refuse_change CASCADE",
        ),
    ]
