"""Moving everybody on a plan to another of its versions: who would pay what, then the work with its progress."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpResponseBase
from django.urls import reverse

from billing.contracts import movable, preview_moves, require_plan, start_plan_migration, version_numbered
from billing.facade import Plan, get_plan
from billing.tasks import work_migration
from console.access import page
from console.forms import Action, Done, PlainForm, form_page, posted
from console.views.plans import shared
from kernel.clock import system_clock
from rest.access import Permission

#: Subscriptions shown of a preview, those with the greatest change; its sums are over all that are looked at.
_SHOWN = 50
#: Subscriptions priced for a preview: pricing more takes longer than somebody waits.
_PRICED = 500


class MigrationForm(PlainForm):
    to_version = forms.TypedChoiceField(coerce=int, label="To version")
    when = forms.ChoiceField(
        choices=[("period_end", "each at the end of its billing period"), ("now", "at once, prorated by days")],
        widget=forms.RadioSelect,
        initial="period_end",
    )

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["to_version"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(one.number, f"v{one.number}, {one.currency}") for one in shared(plan)]


@page(may=Permission.MOVE_MONEY, methods=("GET", "HEAD", "POST"))
def migrate(request: Any, plan: str) -> HttpResponseBase:
    found = get_plan(organization_id=request.access.organization.pk, plan=plan)
    here = reverse("console:plan", args=[found.key])

    def work(given: dict[str, Any]) -> Done:
        to = version_numbered(found, given["to_version"])
        made = start_plan_migration(plan=found, to=to, when=given["when"], now=system_clock(), actor=request.user.email)
        # Should the broker be away, it stays queued and the schedule's next look finds it.
        transaction.on_commit(partial(work_migration.delay, migration_id=made.pk), robust=True)
        return Done(here, f"Moving {made.total} subscription{'' if made.total == 1 else 's'} has started.")

    action = Action(
        title=f"Migrate customers of {found.name}",
        submit="Start the migration",
        crumbs=((reverse("console:plans"), "Plans"), (here, found.name)),
        about="Everybody on another version moves, all but customers with prices of their own and those who are "
        "leaving the plan. It works in the background, and the plan's page says how far it is.",
        work=work,
        preview=partial(_preview, found),
    )
    context = {"preview_template": "console/_moves.html"}
    return form_page(request, MigrationForm(posted(request), plan=found), action, context)


def _preview(plan: Plan, given: dict[str, Any]) -> dict[str, Any]:
    now, to = system_clock(), version_numbered(plan, given["to_version"])
    moving = movable(plan, to, now, given["when"])
    for one in moving:
        require_plan(one.customer, to)
    moves = sorted(preview_moves(moving[:_PRICED], to, now), key=lambda one: -abs(one.new - one.current))
    return {
        "to": to,
        "moving": len(moving),
        "priced": len(moves),
        "moves": [(one, one.new - one.current) for one in moves[:_SHOWN]],
        "current": sum((one.current for one in moves), Decimal(0)),
        "new": sum((one.new for one in moves), Decimal(0)),
        "more": sum(one.new > one.current for one in moves),
        "less": sum(one.new < one.current for one in moves),
    }
