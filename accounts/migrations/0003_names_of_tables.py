from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_members_and_portal")]

    operations = [migrations.AlterModelOptions("apikey", {"verbose_name": "API key"})]
