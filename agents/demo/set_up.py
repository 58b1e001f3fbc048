"""The demo's organization with its operator, plans, customers and agents: made whole or not at all."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from accounts.facade import Organization, Role, User, add_member, create_user, get_organization
from agents.demo.desks import ROUTER, TRIAGE
from agents.demo.plans import BUDGETS, CUSTOMERS, ORGANIZATION_KEY, ORGANIZATION_NAME, PLANS, RECORDED_AGENT, SELLER
from agents.demo.schedule import last_month
from agents.services.agents import register_agent
from agents.services.set_up import set_up_organization
from billing.facade import change_seller_profile, create_customer, create_plan, subscribe
from budgets.facade import create_budget
from kernel.errors import NotFoundError
from kernel.files import private_directory

OPERATOR = "operator@demo.example"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to sign in to the console. The password is also in the file at `path`, for this user alone."""

    email: str
    password: str
    path: Path


def find_or_set_up(*, now: datetime) -> tuple[Organization, bool]:
    """The demo's organization, and whether it is new. What follows is dated by its `created_at`."""
    try:
        return get_organization(ORGANIZATION_KEY), False
    except NotFoundError:
        pass
    with transaction.atomic():
        organization = set_up_organization(name=ORGANIZATION_NAME, key=ORGANIZATION_KEY)
        for agent in (TRIAGE, ROUTER):
            register_agent(organization=organization, key=agent.key, version=agent.version, name=agent.name)
        key, _, version = RECORDED_AGENT.partition("@")
        register_agent(organization=organization, key=key, version=version, name="Airline service (recorded)")
        _sell(organization, now)
    return organization, True


def _sell(organization: Organization, now: datetime) -> None:
    change_seller_profile(organization_id=organization.pk, now=now, **SELLER)
    plans = {
        key: create_plan(organization=organization, key=key, name=name, currency="USD", prices=prices)
        for key, (name, prices) in PLANS.items()
    }
    starts_at = last_month(now).period(ZoneInfo("UTC")).start
    for customer in CUSTOMERS:
        created = create_customer(
            organization=organization,
            key=customer.key,
            name=customer.name,
            email=f"billing@{customer.key}.example",
            address={"line1": "1 Main Street", "city": customer.city, "country": customer.country},
        )
        subscribe(customer=created, plan=plans[customer.plan], starts_at=starts_at, seats=customer.seats)
    for budget in BUDGETS:
        create_budget(organization=organization, **budget)


def sign_in_for(organization: Organization, *, directory: Path) -> SignIn:
    """The operator's sign-in, made the first time and kept in a file in `directory`."""
    path = directory / "demo-password"
    if path.exists():
        password = path.read_text().strip()
    else:
        password = secrets.token_urlsafe(12)
        _write_private(path, password)
    user = User.objects.filter(email=OPERATOR).first()
    if user is None:
        # Only a machine of one's own gets a superuser out of a demo.
        user = create_user(
            email=OPERATOR, password=password, name="Demo Operator", is_superuser=bool(settings.DEVELOPMENT)
        )
    elif not user.check_password(password):  # the file was lost
        user.set_password(password)
        user.save(update_fields=["password"])
    add_member(organization=organization, user=user, role=Role.OWNER)
    return SignIn(OPERATOR, password, path)


def _write_private(path: Path, text: str) -> None:
    private_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
