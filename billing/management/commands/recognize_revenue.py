from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import Organization, get_organization
from billing.ledger.recognition import recognize_revenue
from billing.management.arguments import month_argument
from kernel.clock import system_clock
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = "Post the revenue that months which are over have earned. Run again, it posts nothing."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", type=month_argument, help="YYYY-MM, and those before it; without it, all")
        parser.add_argument("--organization", help="key or id; without it, all of them")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            only = options["organization"]
            organizations = [get_organization(only)] if only else list(Organization.objects.order_by("key"))
            for organization in organizations:
                posted = recognize_revenue(organization=organization, month=options["month"], now=system_clock())
                self.stdout.write(f"{organization.key}: {posted:,} posting(s)")
        except TaximeterError as error:
            raise CommandError(error.detail) from None
