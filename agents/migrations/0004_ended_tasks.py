from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0003_hours_of_calls")]

    operations = [
        migrations.AddIndex(
            "tasksummary",
            models.Index(
                fields=["organization", "ended_at"],
                include=["agent", "customer", "outcome", "is_test"],
                name="task_by_end",
            ),
        ),
    ]
