from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_sealed_secrets")]

    operations = [
        migrations.AlterModelOptions("mailsettings", {"verbose_name_plural": "mail settings"}),
        migrations.AlterModelOptions(
            "webhookdelivery", {"ordering": ["-id"], "verbose_name_plural": "webhook deliveries"}
        ),
    ]
