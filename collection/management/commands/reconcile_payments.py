from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from collection.models import StripeAccount
from collection.queries.payments import differences_of
from collection.services.events import handle_due_events
from collection.services.reconciliation import catch_up_events, reconcile
from kernel.clock import system_clock
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = "Compare the books with the payment provider's now, and print what differs. Fails where something does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", help="its key; all of them, unless said otherwise")

    def handle(self, *args: Any, organization: str | None, **options: Any) -> None:
        accounts = StripeAccount.objects.select_related("organization").order_by("organization_id")
        if organization:
            accounts = accounts.filter(organization__key=organization)
        if not accounts:
            raise CommandError("No such organization has a payment provider")
        differing = sum([self._compare(account) for account in accounts])
        if differing:
            raise CommandError(f"{differing} differences")

    def _compare(self, account: StripeAccount) -> int:
        own, now, key = account.organization_id, system_clock(), account.organization.key
        try:
            catch_up_events(organization_id=own, now=now)
        except TaximeterError as error:
            raise CommandError(f"{key}: {error.detail}") from None
        while handle_due_events(now=now, organization_id=own):
            pass
        run = reconcile(organization_id=own, now=now)
        if run is None or run.error:
            raise CommandError(f"{key}: {run.error if run else 'no account'}")
        for one in differences_of(own, is_open=True).order_by("pk"):
            print(f"{key}\t{one.kind}\t{one.subject}\there: {one.here or '-'}\tthere: {one.there or '-'}")
        print(f"{key}: {run.compared} compared, {run.open_differences} differences")
        return run.open_differences
