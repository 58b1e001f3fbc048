from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from accounts.facade import Organization
from agents.demo.display import Display, closing_panel, invoice_table
from agents.demo.play import close_last_month, import_recorded_runs, missing_tasks, work_tasks
from agents.demo.schedule import last_month
from agents.demo.set_up import find_or_set_up, sign_in_for
from agents.runtime.errors import ModelUnavailable
from agents.runtime.model import HttpModelClient
from kernel.clock import system_clock
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = (
        "Let agents work on the engine for the demo's customers, and bill last month. Played again, it repeats nothing."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--address", default="http://127.0.0.1:8000", help="where the console answers, to print")
        parser.add_argument("--model-address", help="an OpenAI-compatible server to use in place of the engine")

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it reports each request
        console = _console()
        try:
            organization, _ = find_or_set_up(now=system_clock())
            sign_in = sign_in_for(organization, directory=_directory())
            import_recorded_runs(organization)
            self._work(console, organization, options["model_address"])
            invoices = close_last_month(organization, clock=system_clock)
        except KeyboardInterrupt:
            raise CommandError("Stopped. Play the demo again, and it goes on where it was", returncode=130) from None
        except TaximeterError as error:
            raise CommandError(
                f"The demo stopped: {error.detail}. Play it again, and it goes on where it was"
            ) from error
        console.print()
        console.print(invoice_table(invoices, str(last_month(organization.created_at))))
        console.print(
            closing_panel(
                address=options["address"],
                email=sign_in.email,
                password=sign_in.password,
                kept_in=str(sign_in.path),
            )
        )

    def _work(self, console: Console, organization: Organization, model_address: str | None) -> None:
        tasks = missing_tasks(organization)
        if not tasks:
            return
        if model_address:
            model = HttpModelClient(address=model_address, provider=model_address)
        else:
            model = HttpModelClient(socket=settings.ENGINE_SOCKET, api_key=settings.ENGINE_SECRET)
        try:
            name = model.model
        except ModelUnavailable as error:
            raise CommandError(
                f"The engine is not answering on {Path(settings.ENGINE_SOCKET)}: {error.detail}. "
                "Start it with `manage.py run_engine`, or everything with `make run`"
            ) from error
        console.print(
            f"\n{len(tasks)} tasks to work on {name}. Each turn is one decision of the model.\n", highlight=False
        )
        with Display(console, total=len(tasks)) as display:
            work_tasks(organization=organization, tasks=tasks, model=model, audience=display)
        totals = display.totals
        console.print(
            f"\n{totals.tasks} tasks, {totals.turns} turns, {totals.decisions} decisions, "
            f"{totals.compute_seconds:.1f} compute seconds.",
            highlight=False,
        )


def _console() -> Console:
    """As wide as the terminal; where there is none, wide enough that no line is cut."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _directory() -> Path:
    """Where this machine's generated secrets are kept, as for the rest of the instance."""
    return Path(os.environ.get("TAXIMETER_VAR") or settings.BASE_DIR / "var")
