"""An organization with something on every page, whose every text attacks whoever shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from taximeter.events import build_event

from accounts.facade import create_api_key
from accounts.services.audit import begin_acting
from agents.facade import advance_task_summaries
from billing.customers.sellers import change_seller_profile
from billing.models import InvoiceIdentity
from kernel.clock import system_clock
from metering.facade import ingest
from notifications.services.distributing import distribute_events
from tests.browser.site import Site, furnished_vendor
from tests.hostile.payloads import MARK, hostile
from tests.hostile.poison import poison_database, without_triggers

#: In what events say; it is also the name of an agent and of a task, which stand in addresses.
SAID = hostile(190)


_ADDRESS = {"line1": "Street 5", "postal_code": "80331", "city": "Bonn", "country": "DE"}


def plain_site() -> Site:
    """The organization that the browser tests look at, made by nobody who was signed in before."""
    begin_acting(address=None)
    site = Site(cast(Any, None))
    site.vendor = furnished_vendor()
    return site


def hostile_site() -> Site:
    """Each text of the database is a payload, and so is all that some events say."""
    site = plain_site()
    organization = site.vendor.organization
    seller = change_seller_profile(
        organization_id=organization.pk, now=system_clock(), legal_name="Northwind Ltd", line1="Kingsway 1",
        city="Berlin", postal_code="10115", country="DE", vat_id="DE123456789", iban="DE89370400440532013000",
        payment_url="https://pay.example/{invoice}",
    )  # fmt: skip
    with without_triggers():  # the address that an e-invoice needs
        buyer = {"name": "Birch", "email": "", "address": _ADDRESS, "tax_id": "", "locale": "en"}
        InvoiceIdentity.objects.update(seller=seller, buyer=buyer)
    create_api_key(organization=organization, name="key", scopes=["read"])
    create_api_key(organization=organization, name="birch", scopes=["ingest"], customer="birch")
    site.vendor.record([*_events("birch", datetime(2026, 10, 8, tzinfo=UTC)), *_events("nobody", system_clock())])
    # What no key can be is quarantined where it comes from senders that send once.
    kept = ingest(
        organization_id=organization.pk,
        events=_events(SAID, system_clock()),
        received_at=system_clock(),
        sent_once=True,
    )
    assert kept.quarantined
    site.vendor.record(_events("birch", system_clock()))
    advance_task_summaries()
    distribute_events(now=system_clock())
    _ = site.examples, site.queries  # are found by names that are payloads soon
    assert poison_database() > 30
    return site


def _events(customer: str, at: datetime) -> list[dict[str, Any]]:
    """A task whose every text is a payload."""
    at -= timedelta(minutes=5)
    common = {"agent": SAID, "agent_version": MARK, "task_id": SAID, "turn_id": SAID, "decision_id": SAID}
    parts: list[tuple[str, dict[str, Any]]] = [
        ("inference.call", {"model": SAID, "provider": SAID, "hardware": SAID, "region": SAID, "input_tokens": 5,
                            "output_tokens": 5, "cost": "0.25", "cost_currency": "USD"}),
        ("agent.decision", {"choice": SAID}),
        ("agent.tool_call", {"tool": SAID, "error": SAID}),
        ("agent.turn", {}),
        ("agent.task", {"outcome": "succeeded", "goal": SAID, "turns": 1}),
        (f"custom.{MARK}", {SAID: SAID}),
    ]  # fmt: skip
    return [
        build_event(id=f"{at.isoformat()}/{customer[:9]}/{i}{SAID}", source=SAID, type=type, time=at, customer=customer,
                    data=common | data)
        for i, (type, data) in enumerate(parts)
    ]  # fmt: skip
