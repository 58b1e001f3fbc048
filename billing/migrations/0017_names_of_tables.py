from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0016_open_revenue")]

    operations = [
        migrations.AlterModelOptions("billingpolicy", {"verbose_name_plural": "billing policies"}),
        migrations.AlterModelOptions(
            "billingrunbatch", {"ordering": ["position"], "verbose_name_plural": "billing run batches"}
        ),
        migrations.AlterModelOptions("lateusage", {"ordering": ["-id"], "verbose_name_plural": "late usage"}),
        migrations.AlterModelOptions("oneoffcharge", {"ordering": ["id"], "verbose_name": "one-off charge"}),
        migrations.AlterModelOptions(
            "subscriptionaddon", {"ordering": ["starts_at", "id"], "verbose_name": "subscription add-on"}
        ),
    ]
