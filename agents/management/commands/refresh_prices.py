from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from agents.services.known_prices import refresh_known_prices


class Command(BaseCommand):
    help = "Enter the known prices of hosted models as dated cost rates, from the genai-prices package installed here."

    def handle(self, *args: Any, **options: Any) -> None:
        done = refresh_known_prices()
        self.stdout.write(f"{done.entered:,} rates entered, {done.known:,} known already")
