"""Differences live from the comparison that finds them first to the one that finds them no more.

Nothing was compared before: there are no rows to take along.
"""

import django.db.models.deletion
from django.db import migrations, models

import collection.models.reconciliation


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('billing', '0012_issue_and_settlement'),
        ('collection', '0002_calls_at_once'),
    ]

    operations = [
        migrations.DeleteModel(name='ReconciliationDifference'),
        migrations.AddField(
            model_name='reconciliation', name='open_differences', field=models.IntegerField(default=0)
        ),
        migrations.AddIndex(
            model_name='reconciliation',
            index=models.Index(fields=['organization', '-id'], name='reconciliations_newest'),
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
    ]
