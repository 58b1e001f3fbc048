"""Lists of invoices are read in their order, and those that wait are counted, from an index."""

from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_names_of_tables")]

    operations = [
        migrations.RemoveIndex("invoice", "invoice_by_month"),
        migrations.AddIndex(
            "invoice", models.Index("organization", "month", Coalesce("number", "id"), name="invoice_by_place")
        ),
        migrations.AddIndex(
            "invoice",
            models.Index(
                fields=["organization", "currency"],
                include=["status", "total", "amount_due", "due_at"],
                condition=models.Q(status__in=["draft", "finalized"]),
                name="invoice_standing",
            ),
        ),
    ]
