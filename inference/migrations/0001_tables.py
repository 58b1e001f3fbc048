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
                    name='Model',
                    fields=[
                        ('digest', models.CharField(max_length=64, primary_key=True, serialize=False)),
                        ('key', models.CharField(max_length=200, unique=True)),
                        ('name', models.CharField(max_length=200)),
                        ('architecture', models.CharField(max_length=64)),
                        ('quantization', models.CharField(max_length=32)),
                        ('parameters', models.BigIntegerField(help_text='number of weights')),
                        ('context_length', models.IntegerField(help_text='in tokens; 0 where the file does not say')),
                        ('license', models.CharField(blank=True, max_length=200)),
                        ('size_bytes', models.BigIntegerField()),
                        ('path', models.TextField()),
                        ('metadata', models.JSONField(default=dict, help_text='what the engine goes by, as read from the file')),
                        ('manifest', models.TextField(blank=True, help_text='what a publisher signed, byte for byte')),
                        ('signature', models.CharField(blank=True, help_text='Ed25519 over the manifest, in base64', max_length=100)),
                        ('added_by', models.CharField(blank=True, max_length=254)),
                        ('registered_at', models.DateTimeField()),
                        ('loaded_at', models.DateTimeField(help_text='when an engine last loaded it', null=True)),
                        ('recalled_at', models.DateTimeField(null=True)),
                        ('recalled_by', models.CharField(blank=True, max_length=254)),
                        ('recall_reason', models.TextField(blank=True)),
                    ],
                    options={
                        'ordering': ['key', 'digest'],
                    },
                ),
            ],
        ),
    ]
