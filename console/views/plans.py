from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from billing.contracts import PlanMigration, archive_plan, counts_on_versions, on_plan, restore_plan
from billing.facade import Plan, PlanVersion, get_plan, newest_version, plans_of
from console.access import page
from console.forms import Action, Done, PlainForm, form_page, posted
from console.queries.curves import MOST_SERIES, Curved, View, draw, meters_of_all, named, usual_width
from console.queries.pages import page_of
from console.reader import number_typed
from console.wording import interval_in_words, price_in_words
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError, TaximeterError
from kernel.money import decimal_from
from rest.access import Permission

_SEATS = 10_000_000


def words_of(version: PlanVersion) -> list[Any]:
    interval = interval_in_words(version.interval, version.interval_count)
    return [price_in_words(price, currency=version.currency, interval=interval) for price in version.prices.all()]


def shared(plan: Plan) -> list[PlanVersion]:
    """The versions that all customers may be on, newest first."""
    return sorted((one for one in plan.versions.all() if one.customer_id is None), key=lambda one: -one.number)


@page()
def plans(request: Any) -> HttpResponseBase:
    """Every plan, what its newest version charges, and how many are on it."""
    organization_id, archived = request.access.organization.pk, "archived" in request.GET
    rows = plans_of(organization_id).filter(archived_at__isnull=not archived)
    found = page_of(rows, request.GET.get("cursor"))
    counts = counts_on_versions(organization_id, system_clock())
    shown = [
        {
            "plan": plan,
            "version": newest_version(plan),
            "prices": words_of(newest_version(plan)),
            "count": sum(counts.get(one.pk, 0) for one in plan.versions.all()),
        }
        for plan in found.rows
    ]
    context = {"plans": shown, "next_cursor": found.next_cursor, "archived": archived}
    return render(request, "console/plans.html", context)


@page()
def plan(request: Any, plan: str) -> HttpResponseBase:
    """A plan: its versions with their prices and how many are on each, who they are, and what it comes to."""
    organization_id, now = request.access.organization.pk, system_clock()
    found = get_plan(organization_id=organization_id, plan=plan)
    versions, counts = shared(found), counts_on_versions(organization_id, now)
    chosen = _chosen(versions, request.GET.get("version"))
    own: dict[str, int] = {}
    for one in found.versions.all():
        if one.customer_id is not None and one.based_on_id:
            own[one.based_on_id] = own.get(one.based_on_id, 0) + counts.get(one.pk, 0)
    numbers = {one.pk: one for one in found.versions.all()}
    on_it = page_of(on_plan(organization_id, found.pk, now), request.GET.get("cursor"))
    context: dict[str, Any] = {
        "plan": found,
        "chosen": chosen,
        "prices": words_of(chosen),
        "versions": [{"version": one, "count": counts.get(one.pk, 0), "own": own.get(one.pk, 0)} for one in versions],
        "on_it": [{"subscription": one, "version": numbers[one.version_now]} for one in on_it.rows],
        "next_cursor": on_it.next_cursor,
        "migration": PlanMigration.objects.filter(plan=found).select_related("to_version").first(),
        **figure_of(request, _with_the_one_before(versions, chosen)),
    }
    return render(request, "console/plan.html", context)


@page()
def migration(request: Any, plan: str) -> HttpResponseBase:
    """How far a plan's last migration is: a part of its page, which asks for itself while it is under way."""
    found = get_plan(organization_id=request.access.organization.pk, plan=plan)
    last = PlanMigration.objects.filter(plan=found).select_related("to_version").first()
    if last is None:
        raise NotFoundError("This plan was never migrated", code="migration_not_found")
    return render(request, "console/_migration.html", {"plan": found, "migration": last})


def _chosen(versions: Sequence[PlanVersion], number: str | None) -> PlanVersion:
    if not number:
        return versions[0]
    for one in versions:
        if str(one.number) == number:
            return one
    raise NotFoundError("There is no such version", code="plan_version_not_found")


def _with_the_one_before(versions: Sequence[PlanVersion], chosen: PlanVersion) -> list[PlanVersion]:
    before = [one for one in versions if one.number < chosen.number and one.currency == chosen.currency]
    return [chosen, *before[:1]]


def curved(versions: Sequence[PlanVersion]) -> list[Curved]:
    return [Curved(f"{one.plan.name} v{one.number}", list(one.prices.all())) for one in versions]


def figure_of(request: Any, versions: Sequence[PlanVersion]) -> dict[str, Any]:
    """The curves of versions of one currency by what the address says, and what to fill its form with."""
    found = curved(versions)
    try:
        view = read_view(request.GET, found)
        if view is None:
            return {"curves": None}
        curves = draw(found, view, currency=versions[0].currency)
    except TaximeterError as error:
        return {"curves": None, "curve_refused": error, "curve_meters": named(found, meters_of_all(found))}
    return {
        "curves": curves,
        "curve_meters": named(found, meters_of_all(found)),
        "other_usage": other_usage(view, found),
        "curve_query": _query(view, versions),
    }


def other_usage(view: View, found: Sequence[Curved]) -> list[tuple[str, str, Decimal]]:
    """The meters beside the one that is drawn: key, name, and how much is taken for granted."""
    usage = view.usage or {}
    others = named(found, [key for key in meters_of_all(found) if key != view.meter])
    return [(key, name, usage.get(key, Decimal(0))) for key, name in others]


def _query(view: View, versions: Sequence[PlanVersion]) -> str:
    pairs = [("version", one.pk) for one in versions]
    pairs += [("meter", view.meter), ("up_to", format(view.up_to, "f")), ("seats", str(view.seats))]
    pairs += [("event_size", format(view.event_size, "f"))]
    return urlencode(pairs + [(f"usage-{key}", format(amount, "f")) for key, amount in (view.usage or {}).items()])


def read_view(asked: Any, found: Sequence[Curved], prefix: str = "") -> View | None:
    """What an address or a form says is to be drawn; None where the versions count nothing."""
    meters = meters_of_all(found)
    if not meters:
        return None
    meter = asked.get(f"{prefix}meter")
    meter = meter if meter in meters else meters[0]

    def number(name: str, usual: Decimal) -> Decimal:
        text = asked.get(f"{prefix}{name}", "").strip()
        try:
            value = decimal_from(number_typed(text)) if text else usual
        except (TypeError, ValueError):
            raise InvalidError(f"{text[:40]!r} is no number", code="curve_invalid") from None
        if not 0 <= value <= Decimal(10) ** 15:
            raise InvalidError("Usage lies between nothing and 10^15", code="curve_invalid")
        return value

    seats, event_size = number("seats", Decimal(1)), number("event_size", Decimal(1))
    if seats != seats.to_integral_value() or seats > _SEATS or not event_size:
        raise InvalidError("Seats are a whole number, and an event is of more than nothing", code="curve_invalid")
    usage = {key: number(f"usage-{key}", Decimal(0)) for key in meters if key != meter}
    return View(meter, number("up_to", usual_width(found, meter)), int(seats), event_size, usage)


def _asked_versions(request: Any) -> list[PlanVersion]:
    """The versions in an address, in its order, no more than can be drawn, all in the currency of the first."""
    ids = list(dict.fromkeys(request.GET.getlist("version")))[:MOST_SERIES]
    rows = PlanVersion.objects.filter(
        pk__in=[one for one in ids if "\x00" not in one], plan__organization=request.access.organization
    )
    found = {one.pk: one for one in rows.select_related("plan").prefetch_related("prices__meter")}
    versions = [found[one] for one in ids if one in found]
    if any(one.currency != versions[0].currency for one in versions):
        raise InvalidError("Only versions of one currency are drawn side by side", code="currency_mismatch")
    return versions


@page()
def compare(request: Any) -> HttpResponseBase:
    """Several versions of any plans on one figure."""
    versions = _asked_versions(request)
    plans = plans_of(request.access.organization.pk).filter(archived_at=None).order_by("name", "id")[:200]
    context: dict[str, Any] = {
        "versions": versions,
        "asked": {one.pk for one in versions},
        "choices": [(plan, shared(plan)) for plan in plans],
        "most": MOST_SERIES,
    }
    if versions:
        context |= figure_of(request, versions)
    return render(request, "console/plans_compared.html", context)


@page()
def curves_csv(request: Any) -> HttpResponseBase:
    versions = _asked_versions(request)
    found = curved(versions)
    view = read_view(request.GET, found) if versions else None
    if view is None:
        raise NotFoundError("There is no curve of this", code="curve_not_found")
    return HttpResponse(
        draw(found, view, currency=versions[0].currency).to_csv(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="price-curves.csv"'},
    )


@page(may=Permission.MOVE_MONEY, methods=("GET", "HEAD", "POST"))
def archive(request: Any, plan: str) -> HttpResponseBase:
    """Take a plan off sale, or offer it again."""
    found = get_plan(organization_id=request.access.organization.pk, plan=plan)
    here, is_archived = reverse("console:plan", args=[found.key]), found.archived_at is not None

    def work(_: dict[str, Any]) -> Done:
        if is_archived:
            restore_plan(plan=found, actor=request.user.email)
            return Done(here, f"{found.name} is offered again.")
        archive_plan(plan=found, now=system_clock(), actor=request.user.email)
        return Done(here, f"{found.name} is archived.")

    about = "Nobody new gets on it, by the console or the API. Who is on it stays and is charged as before."
    action = Action(
        title=f"{'Offer' if is_archived else 'Archive'} {found.name}{' again' if is_archived else ''}",
        submit="Offer it again" if is_archived else "Archive",
        crumbs=((reverse("console:plans"), "Plans"), (here, found.name)),
        about="Customers can be put on it again." if is_archived else about,
        danger=not is_archived,
        work=work,
    )
    return form_page(request, PlainForm(posted(request)), action)
