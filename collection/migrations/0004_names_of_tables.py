from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("collection", "0003_differences_last")]

    operations = [
        migrations.AlterModelOptions("usagepush", {"ordering": ["id"], "verbose_name_plural": "usage pushes"})
    ]
