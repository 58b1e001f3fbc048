from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from accounts.facade import Organization, get_organization
from billing.customers.presenters import money
from billing.invoicing.queries import invoices_of
from billing.invoicing.runs import OnProgress, close_month
from billing.management.arguments import month_argument
from billing.models import BillingRun
from kernel.clock import system_clock
from kernel.errors import TaximeterError
from kernel.period import Month

_SHOWN = 200


class Command(BaseCommand):
    help = "Close a month: issue every invoice that is due. Run again, it goes on or changes nothing."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", required=True, type=month_argument, help="YYYY-MM")
        parser.add_argument("--organization", help="key or id; without it, all of them")

    def handle(self, *args: Any, **options: Any) -> None:
        month, faults = options["month"], 0
        try:
            if options["organization"]:
                organizations = [get_organization(options["organization"])]
            else:
                organizations = list(Organization.objects.order_by("key"))
            for organization in organizations:
                faults += self._close(organization, month)
        except TaximeterError as error:
            raise CommandError(error.detail) from None
        except (OperationalError, InterfaceError) as error:
            reason = (str(error).strip().splitlines() or ["the connection was lost"])[0]
            raise CommandError(
                f"The database went away: {reason}\n"
                "The invoices issued so far stand. Run the same command again: it goes on with the others."
            ) from None
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. The invoices issued so far stand; run the same command again to go on.", returncode=130
            ) from None
        if not organizations:
            raise CommandError("There is no organization yet")
        if faults:
            raise CommandError(f"{faults:,} problem(s): see above")

    def _close(self, organization: Organization, month: Month) -> int:
        """Close the organization's month, show its invoices and problems, and answer how many problems there were."""
        self.stdout.write(f"{_printable(organization.name)} ({_printable(organization.key)}), {month}")
        with self._showing() as on_progress:
            run = close_month(organization=organization, month=month, now=system_clock(), on_progress=on_progress)
        self._show_invoices(organization, month)
        self.stdout.write(f"{run.invoices:,} new invoice(s), {len(run.problems):,} problem(s)")
        for problem in run.problems:
            cause = f"{problem['code']}, subscription {problem['subscription']}"
            self.stderr.write(_printable(f"{problem['customer']}: {problem['detail']} ({cause})"))
        return len(run.problems)

    @contextmanager
    def _showing(self) -> Iterator[OnProgress]:
        if not self.stderr.isatty():
            yield lambda run: self.stderr.write(f"{run.done:,} of {run.total:,} subscriptions")
            return
        columns = (TextColumn("Invoices"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)

            def show(run: BillingRun) -> None:
                bar.update(task, completed=run.done, total=run.total)

            yield show

    def _show_invoices(self, organization: Organization, month: Month) -> None:
        invoices = invoices_of(organization.pk, month=month).order_by("created_at", "number", "id")
        count = invoices.count()
        if not count:
            self.stdout.write("No invoices")
            return
        table = Table("Number", "Customer", "Plan")
        table.add_column("Lines", justify="right")
        table.add_column("Total", justify="right", no_wrap=True)
        table.add_column("Status")
        for one in invoices[:_SHOWN]:
            table.add_row(
                one.number or "draft",
                Text(_printable(one.customer.name)),
                Text(_printable(one.subscription.plan_version.plan.name if one.subscription else "")),
                str(len(one.lines.all())),
                f"{one.currency} {money(one.total, one.currency)}",
                one.status,
            )
        self.stdout.write(self._rendered(table))
        if count > _SHOWN:
            self.stdout.write(f"… and {count - _SHOWN:,} more")

    def _rendered(self, table: Table) -> str:
        out = io.StringIO()
        terminal = self.stdout.isatty()
        Console(file=out, force_terminal=terminal, width=None if terminal else 120).print(table)
        return out.getvalue()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
