"""What a person sees of the demo: live on a terminal, line by line elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.demo.schedule import PlannedTask
from agents.runtime.work import Step, TaskResult
from billing.facade import Invoice
from kernel.money import Money

_OUTCOMES = {"succeeded": "green", "failed": "red", "escalated": "yellow", "cancelled": "dim"}


@dataclass(frozen=True, slots=True)
class Totals:
    """What the agents have done so far."""

    tasks: int = 0
    turns: int = 0
    decisions: int = 0
    compute_seconds: Decimal = Decimal(0)

    def after(self, step: Step) -> Totals:
        seconds = Decimal(step.completion.compute_seconds or 0)
        decisions = self.decisions + (step.tool is not None)
        return Totals(self.tasks, self.turns + 1, decisions, self.compute_seconds + seconds)


class Display:
    """Shows agents at work. Use in a `with` block."""

    def __init__(self, console: Console, *, total: int) -> None:
        self.totals = Totals()
        self._console = console
        self._progress = Progress(
            TextColumn("[bold]{task.fields[now]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._bar: TaskID = self._progress.add_task("", total=total, now="", counts="")

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def task_begins(self, task: PlannedTask) -> None:
        self._show(task, 1)

    def turn_taken(self, task: PlannedTask, step: Step) -> None:
        self.totals = self.totals.after(step)
        self._show(task, step.turn + 1)

    def task_ended(self, task: PlannedTask, result: TaskResult) -> None:
        self.totals = replace(self.totals, tasks=self.totals.tasks + 1)
        colour = _OUTCOMES[result.outcome]
        steps = " → ".join(_step_text(step) for step in result.steps)
        self._progress.console.print(
            f"[dim]{task.starts_at:%d %b}[/] {task.agent.key:<14} {task.customer.name:<14} "
            f"[{colour}]{result.outcome:<9}[/] {len(result.steps)} turns "
            f"{result.compute_seconds:.1f} s  [dim]{steps}[/]",
            highlight=False,
            no_wrap=True,
            overflow="ellipsis",
            crop=self._console.is_terminal,
        )
        self._progress.advance(self._bar)
        self._show(task, None)

    def _show(self, task: PlannedTask, turn: int | None) -> None:
        totals = self.totals
        now = f"{task.agent.key} for {task.customer.name}" + (f", turn {turn}" if turn else "")
        counts = f"{totals.turns} turns · {totals.decisions} decisions · {totals.compute_seconds:.1f} compute seconds"
        self._progress.update(self._bar, now=f"{now:<40}", counts=counts)


def _step_text(step: Step) -> str:
    if step.tool is None:
        return step.result
    said = ", ".join(str(value) for value in step.arguments.values())
    return f"{step.tool}({said})" if said else step.tool


def invoice_table(invoices: list[Invoice], month: str) -> Table:
    """The invoices, each with its lines below it: what was counted, and what it comes to."""
    table = Table(title=f"Invoices for {month}", title_justify="left", title_style="bold")
    table.add_column("Invoice", no_wrap=True)
    table.add_column("Customer, plan and lines")
    table.add_column("Quantity", justify="right", no_wrap=True)
    table.add_column("Amount", justify="right", no_wrap=True)
    for invoice in invoices:
        lines = list(invoice.lines.all())
        assert invoice.subscription is not None, "the demo's invoices are all of subscriptions"
        whom = f"[bold]{invoice.customer.name}[/], {invoice.subscription.plan_version.plan.name}"
        table.add_row(invoice.number, whom, "", f"[bold]{Money(invoice.total, invoice.currency)}[/]")
        for position, line in enumerate(lines, start=1):
            quantity = f"{line.quantity.normalize():f}"
            amount = str(Money(line.amount, invoice.currency))
            table.add_row("", f"  {line.description}", quantity, amount, end_section=position == len(lines))
    return table


def closing_panel(*, address: str, email: str, password: str, kept_in: str) -> Panel:
    text = (
        f"[bold]Console[/]   {address}\n"
        f"[bold]Sign in[/]   {email}\n"
        f"[bold]Password[/]  {password}\n"
        f"[dim]          kept in {kept_in}[/]\n"
        f"[bold]API docs[/]  {address}/api/docs/"
    )
    return Panel.fit(text, title="Taximeter", title_align="left")
