from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services.rotation import rotate_column, rotate_sessions
from rest.encryption import encrypted_columns


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret, and signs every session, with the present keys, after SECRET_KEY or "
        "TAXIMETER_PROVIDER_SECRETS_KEY has changed. Safe to run again, and to interrupt."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable = 0
        work = [(column.name, lambda one=column: rotate_column(one)) for column in encrypted_columns()]
        for name, rotate in [*work, ("sessions", rotate_sessions)]:
            counts = rotate()
            unreadable += counts["unreadable"] if name != "sessions" else 0
            self.stdout.write(
                f"{name}: {counts['rotated']} rotated, {counts['current']} current, {counts['unreadable']} unreadable"
            )
        if unreadable:
            raise CommandError(
                f"{unreadable} secrets cannot be read with the keys configured. Add the key that encrypted them to "
                "TAXIMETER_PROVIDER_SECRETS_KEY_FALLBACKS or SECRET_KEY_FALLBACKS and run this again, or enter the "
                "secrets again."
            )
        self.stdout.write("Nothing needs the earlier keys. Remove them from the fallbacks.")
