"""The tables of this room."""

import rest.create_models
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        rest.create_models.CreateModels(
            models=[
                migrations.CreateModel(
                    name='IdempotencyRecord',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('organization_id', models.IntegerField()),
                        ('key', models.CharField(max_length=255)),
                        ('request_hash', models.BinaryField(max_length=32)),
                        ('status', models.SmallIntegerField(null=True)),
                        ('body', models.BinaryField(null=True)),
                        ('created_at', models.DateTimeField()),
                    ],
                    options={
                        'indexes': [models.Index(fields=['created_at'], name='rest_idempo_created_9df496_idx')],
                        'constraints': [models.UniqueConstraint(fields=('organization_id', 'key'), name='one_answer_per_idempotency_key')],
                    },
                ),
            ],
        ),
    ]
