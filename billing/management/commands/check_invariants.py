from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import Organization, get_organization
from billing.invariants import check_all
from kernel.errors import NotFoundError


class Command(BaseCommand):
    help = "Check what must always hold of the books; exits with 1 where something does not."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--organization", help="key or id; without it, all")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            only = options["organization"]
            organizations = [get_organization(only)] if only else list(Organization.objects.order_by("id"))
        except NotFoundError as error:
            raise CommandError(error.detail) from None
        broken = 0
        for organization in organizations:
            self.stdout.write(f"{organization.name} ({organization.key})")
            for law, violations in check_all(organization.pk):
                self.stdout.write(f"  {'ok    ' if not violations else 'BROKEN'}  {law}")
                for violation in violations:
                    self.stdout.write(f"            {violation.subject}: {violation.detail}")
                broken += len(violations)
        if broken:
            raise CommandError(f"{broken} violation(s)")
