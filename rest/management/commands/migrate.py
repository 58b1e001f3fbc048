"""Django's `migrate`, which also takes over a database from before the first release."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate

from rest.first_release import DatabaseTooOld, take_over


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["database"] == "default" and not options["plan"] and not options["check_unapplied"]:
                take_over()
        except DatabaseTooOld as error:
            raise CommandError(str(error)) from None
        super().handle(*args, **options)
