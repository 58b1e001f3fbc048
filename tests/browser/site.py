"""The system that browser tests visit, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.contrib.auth.tokens import default_token_generator
from django.utils.http import urlsafe_base64_encode

from accounts.facade import create_api_key, create_user, invite_member, members_of
from agents.facade import advance_task_summaries
from billing.contracts import start_plan_migration
from billing.facade import (
    create_plan_version,
    credit_notes_of,
    get_plan,
    issue_credit_note,
    newest_version,
    pay_invoice,
    payments_of,
)
from billing.tasks import work_migration
from budgets.facade import create_budget, evaluate_budgets
from collection.facade import bank_transfers_of, change_policy, record_bank_transfer
from exports.facade import create_schedule, exports_of, schedules_of, start_export
from exports.services.working import work_export
from inference.engine.model_file import describe_model_file
from inference.facade import add_model
from kernel.clock import system_clock
from launcher.services import Services
from metering.facade import EventQuestion, list_events
from notifications.facade import create_endpoint, deliveries_of, mails_of
from notifications.services.distributing import distribute_events
from tests.console.conftest import (
    OCTOBER,
    PASSWORD,
    Vendor,
    activity_plan,
    hybrid_plan,
    make_vendor,
    task_events,
    turns,
)
from tests.inference.engine_process import MODELS
from tests.system import System, system_on


@dataclass
class Site:
    """The running system. `vendor` is an organization with something on every page; tests only read it."""

    system: System
    vendor: Vendor = field(init=False)

    @property
    def address(self) -> str:
        return self.system.address

    @contextmanager
    def database(self) -> Iterator[None]:
        """Django's connection in this process goes to the system's database, as long as this is open."""
        with self.system.database():
            yield

    @cached_property
    def examples(self) -> dict[str, str]:
        """A value for each parameter that addresses of the console have, by its name."""
        invoice = self.vendor.invoice_of("birch")
        line = next(line for line in invoice.lines.all() if line.events)
        event = list_events(EventQuestion(organization_id=self.vendor.organization.pk), limit=1)[0][0]
        return {
            "customer": invoice.customer_id,
            "invoice": invoice.pk,
            "line": line.pk,
            "identity": str(event.identity),
            "chart": "usage_by_day",
            "part": "money",
            "credit_note": credit_notes_of(self.vendor.organization.pk).latest("pk").pk,
            "payment": payments_of(self.vendor.organization.pk).latest("pk").pk,
            "plan": "hybrid",
            "budget": "cap",
            "model": "tiny-random-llama",
            "export": exports_of(self.vendor.organization.pk).latest("pk").pk,
            "schedule": schedules_of(self.vendor.organization.pk).latest("pk").pk,
            "transfer": bank_transfers_of(self.vendor.organization.pk).latest("pk").pk,
            **_sent_examples(self.vendor),
            **_people_examples(self.vendor),
        }

    @cached_property
    def queries(self) -> dict[str, str]:
        """What is put behind an address whose page is about something that its query names."""
        plan = get_plan(organization_id=self.vendor.organization.pk, plan="hybrid")
        versions = "?" + "&".join(f"version={one.pk}" for one in plan.versions.order_by("number"))
        return {
            "overview": "?from=2026-10-01&to=2026-10-31",
            "agents": "?from=2026-10-01&to=2026-10-31",
            "agent": "?agent=support&from=2026-10-01&to=2026-10-31",
            "agent_tasks": "?agent=support&from=2026-10-01&to=2026-10-31",
            "models": "?from=2026-10-01&to=2026-10-31",
            "part": "?from=2026-10-01&to=2026-10-31",
            "task": "?id=task-birch",
            "compare_plans": versions,
            "curves_csv": versions,
        }


def furnished_vendor() -> Vendor:
    """October 2026 is closed; there is usage of today."""
    made = make_vendor("Northwind Cabs")
    made.customer("acme", activity_plan(made.organization), name="Acme Logistics")
    made.customer(
        "birch", hybrid_plan(made.organization), name="Birch & Sons", timezone="Europe/Berlin", email="ap@birch.example"
    )
    for i, name in enumerate(["Cedar Health", "Dune Travel", "Elm Insurance"]):
        made.customer(f"more-{i}", name=name)
    made.record(turns("acme", 30, start=datetime(2026, 10, 5, 9, tzinfo=UTC)))
    made.record(turns("birch", 502, start=datetime(2026, 10, 6, 9, tzinfo=UTC), agent="desk"))
    made.record(task_events("birch", start=datetime(2026, 10, 7, 9, tzinfo=UTC)))
    made.record(turns("acme", 5, start=system_clock() - timedelta(minutes=5)))
    advance_task_summaries()
    add_model(file=describe_model_file(MODELS / "tiny-llama.gguf"), actor="configuration", now=system_clock())
    create_endpoint(organization_id=made.organization.pk, url="https://erp.invalid/hooks", now=system_clock())
    made.close_october()
    issue_credit_note(invoice=made.invoice_of("acme"), now=system_clock(), reason="Goodwill")
    pay_invoice(invoice=made.invoice_of("birch"), now=system_clock(), amount=Decimal(10))
    _collecting(made)
    _second_version(made)
    _exports(made)
    _budgets(made)
    distribute_events(now=system_clock())
    return made


def _budgets(vendor: Vendor) -> None:
    """One that is used up, with what it has reached; one that is reserved from."""
    thresholds = [{"percent": "80", "actions": ["mail", "webhook"]}, {"percent": "100", "actions": ["stop"]}]
    fields = {"measure": {"meter": "turns"}, "period": "total", "thresholds": thresholds}
    create_budget(organization=vendor.organization, key="cap", name="All turns", amount=Decimal(40), **fields)
    create_budget(
        organization=vendor.organization,
        key="acme-cap",
        amount=Decimal(100),
        scope="customer",
        customer="acme",
        **fields,
    )
    evaluate_budgets(now=system_clock())


def _collecting(vendor: Vendor) -> None:
    """What is open is collected by bank transfer, and one came that nobody can tell what it is for."""
    change_policy(organization_id=vendor.organization.pk, now=system_clock(), is_active=True, suspend_after_days=30)
    record_bank_transfer(
        organization_id=vendor.organization.pk,
        reference="2026-11-03/77",
        text="thank you",
        amount=Decimal("12.50"),
        currency="USD",
        received_at=datetime(2026, 11, 3, tzinfo=UTC),
        now=system_clock(),
    )


def _exports(vendor: Vendor) -> None:
    """One by hand, which is done, and a schedule that has exported nothing yet."""
    organization, now = vendor.organization, system_clock()
    create_schedule(organization=organization, kinds=["invoices", "ledger"], format="xlsx", now=now)
    made = start_export(organization=organization, kinds=["invoices", "lines"], month=OCTOBER, format="csv", now=now)
    work_export(export_id=made.pk, now=now)


def _second_version(vendor: Vendor) -> None:
    """A dearer version of the hybrid plan, to which its customers move at the end of their periods."""
    plan = get_plan(organization_id=vendor.organization.pk, plan="hybrid")
    prices = [
        {"key": "base", "name": "Base fee", "kind": "fixed", "model": {"type": "flat", "amount": "59"}},
        {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.05"}},
    ]
    create_plan_version(plan=plan, prices=prices)
    plan = get_plan(organization_id=vendor.organization.pk, plan="hybrid")
    now, to = system_clock(), newest_version(plan)
    started = start_plan_migration(plan=plan, to=to, when="period_end", now=now, actor="ops@example.com")
    work_migration(migration_id=started.pk)


def _people_examples(vendor: Vendor) -> dict[str, str]:
    """Links of mails to people, which are pages by themselves; what only a POST names is never found."""
    tokens: list[str] = []
    invite_member(
        organization=vendor.organization,
        email="new@example.com",
        role="viewer",
        by=None,
        now=system_clock(),
        link_of=lambda token: tokens.append(token) or token,
    )
    user = create_user(email="forgetful@example.com", password=PASSWORD)  # who signs in uses such a link up
    uid = urlsafe_base64_encode(str(user.pk).encode())
    found = {"token": tokens[0], "uid": uid, "reset": default_token_generator.make_token(user)}
    found["member"] = str(members_of(vendor.organization.pk).latest("pk").pk)
    key, _ = create_api_key(organization=vendor.organization, scopes=["ingest"], name="Edge")
    found["api_key"] = key.pk
    return found | dict.fromkeys(("invitation", "call", "session", "organization", "event"), "x")


def _sent_examples(vendor: Vendor) -> dict[str, str]:
    delivery = deliveries_of(vendor.organization.pk).latest("pk")
    mail = mails_of(vendor.organization.pk).latest("pk")
    return {
        "endpoint": delivery.endpoint_id,
        "delivery": delivery.public_id,
        "mail": mail.pk,
        "mail_kind": "invoice_issued",
    }


@contextmanager
def running_site(services: Services) -> Iterator[Site]:
    """Web server and worker on a database of their own."""
    with system_on(services) as system:
        site = Site(system)
        system.start("web", "worker")
        with site.database():
            site.vendor = furnished_vendor()
        yield site
