"""The questions this client asks: where, by which parameters, and what answers; and the few things it does. A test
compares them with the API's own description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from taximeter.client import models

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Endpoint(Generic[Answer]):
    """`GET path`, answered by one `answer`."""

    path: str
    answer: type[Answer]
    filters: tuple[str, ...] = ()

    def path_of(self, **references: str) -> str:
        """The path with references filled in, whatever characters they hold."""
        if not all(references.values()):
            raise ValueError(f"{self.path} needs an id or a key")
        return self.path.format(**{name: quote(value, safe="") for name, value in references.items()})


@dataclass(frozen=True)
class ListEndpoint(Endpoint[Answer]):
    """`GET path`, answered by pages of `answer`."""


@dataclass(frozen=True)
class Action(Endpoint[Answer]):
    """`POST path` with a body of `fields`, answered by one `answer`. Each may be sent twice and is done once."""

    fields: tuple[str, ...] = ()


CUSTOMERS = ListEndpoint("/api/v1/customers", models.Customer)
CUSTOMER = Endpoint("/api/v1/customers/{customer}", models.Customer)
UPCOMING_INVOICES = Endpoint("/api/v1/customers/{customer}/upcoming_invoice", models.UpcomingInvoices)
CREDIT_BALANCE = Endpoint("/api/v1/customers/{customer}/credit_balance", models.CreditBalances)
CREDIT_MOVEMENTS = ListEndpoint("/api/v1/customers/{customer}/credit_movements", models.CreditMovement)
CREDIT_GRANTS = ListEndpoint("/api/v1/credit_grants", models.CreditGrant, ("customer",))
CREDIT_GRANT = Endpoint("/api/v1/credit_grants/{grant}", models.CreditGrant)
PRICING_UNITS = ListEndpoint("/api/v1/pricing_units", models.PricingUnit)
PRICING_UNIT = Endpoint("/api/v1/pricing_units/{unit}", models.PricingUnit)
SUBSCRIPTIONS = ListEndpoint("/api/v1/subscriptions", models.Subscription, ("customer",))
SUBSCRIPTION = Endpoint("/api/v1/subscriptions/{subscription}", models.Subscription)
SUBSCRIPTION_COUPONS = Endpoint("/api/v1/subscriptions/{subscription}/coupons", models.RedemptionList)
COUPONS = ListEndpoint("/api/v1/coupons", models.Coupon)
COUPON = Endpoint("/api/v1/coupons/{coupon}", models.Coupon)
CHARGES = ListEndpoint("/api/v1/charges", models.Charge, ("customer", "status"))
CHARGE = Endpoint("/api/v1/charges/{charge}", models.Charge)
INVOICES = ListEndpoint("/api/v1/invoices", models.Invoice, ("customer", "status", "month"))
INVOICE = Endpoint("/api/v1/invoices/{invoice}", models.Invoice)
LINE_EVENTS = ListEndpoint("/api/v1/invoices/{invoice}/lines/{line}/events", models.UsageEvent)
LATE_USAGE = ListEndpoint("/api/v1/late_usage", models.LateUsage, ("resolution",))
INVOICE_LATE_USAGE = Endpoint("/api/v1/invoices/{invoice}/late_usage", models.LateUsageList)
CREDIT_NOTES = ListEndpoint("/api/v1/credit_notes", models.CreditNote, ("customer", "invoice"))
CREDIT_NOTE = Endpoint("/api/v1/credit_notes/{credit_note}", models.CreditNote)
PAYMENTS = ListEndpoint("/api/v1/payments", models.Payment, ("customer", "invoice"))
PAYMENT = Endpoint("/api/v1/payments/{payment}", models.Payment)
BILLING_POLICY = Endpoint("/api/v1/billing_policy", models.BillingPolicy)
BILLING_RUNS = ListEndpoint("/api/v1/billing_runs", models.BillingRun)
BILLING_RUN = Endpoint("/api/v1/billing_runs/{run}", models.BillingRun)
PLANS = ListEndpoint("/api/v1/plans", models.Plan)
PLAN = Endpoint("/api/v1/plans/{plan}", models.Plan)
METERS = ListEndpoint("/api/v1/meters", models.Meter)
METER = Endpoint("/api/v1/meters/{meter}", models.Meter)
USAGE = Endpoint(
    "/api/v1/meters/{meter}/usage", models.Usage, ("from", "to", "window", "timezone", "customer", "group_by")
)
EVENTS = ListEndpoint(
    "/api/v1/events", models.UsageEvent, ("customer", "type", "agent", "task_id", "sent_by", "from", "to")
)
AGENTS = ListEndpoint("/api/v1/agents", models.Agent)
AGENT = Endpoint("/api/v1/agents/{agent}", models.Agent)
COSTS = Endpoint("/api/v1/costs", models.CostReport, ("from", "to", "window", "customer", "agent", "group_by"))
COST_RATES = ListEndpoint("/api/v1/cost_rates", models.CostRate, ("provider", "model"))
TASKS = ListEndpoint("/api/v1/tasks", models.TaskSummary, ("customer", "agent", "outcome", "from", "to"))
TASK = Endpoint("/api/v1/tasks/{task_id}", models.TaskTrace)
LEDGER_TRANSACTIONS = ListEndpoint(
    "/api/v1/ledger/transactions", models.LedgerTransaction, ("customer", "account", "kind", "from", "to")
)
LEDGER_BALANCES = Endpoint("/api/v1/ledger/balances", models.AccountBalances, ("customer", "at"))
TRIAL_BALANCE = Endpoint("/api/v1/ledger/trial_balance", models.TrialBalance, ("month",))
REVENUE_SCHEDULE = Endpoint("/api/v1/ledger/revenue_schedule", models.RevenueSchedule, ("customer", "from", "to"))
BUDGETS = ListEndpoint("/api/v1/budgets", models.Budget, ("scope", "customer", "agent", "plan"))
BUDGET = Endpoint("/api/v1/budgets/{budget}", models.Budget)
CROSSINGS = ListEndpoint("/api/v1/budgets/{budget}/crossings", models.Crossing)
FEATURES = ListEndpoint("/api/v1/features", models.Feature)
FEATURE = Endpoint("/api/v1/features/{feature}", models.Feature)
ENTITLEMENTS = Endpoint("/api/v1/plans/{plan}/versions/{version}/entitlements", models.Entitlements)
RESERVATION = Endpoint("/api/v1/reservations/{reservation}", models.Reservation)

CHECK = Action(
    "/api/v1/entitlements/check",
    models.Verdict,
    fields=(
        "customer", "feature", "meter", "quantity", "agent", "amount", "cost", "dimensions", "reserve",
        "lifetime_seconds",
    ),
)  # fmt: skip
COMMIT = Action(
    "/api/v1/reservations/{reservation}/commit", models.Reservation, fields=("quantity", "amount", "cost", "events")
)
RELEASE = Action("/api/v1/reservations/{reservation}/release", models.Reservation)


def all_endpoints() -> Mapping[str, Endpoint[object]]:
    """Every endpoint of this module that is read, by its name."""
    found = {name: value for name, value in globals().items() if isinstance(value, Endpoint)}
    return {name: value for name, value in found.items() if not isinstance(value, Action)}


def all_actions() -> Mapping[str, Action[object]]:
    """Every endpoint of this module that does something, by its name."""
    return {name: value for name, value in globals().items() if isinstance(value, Action)}
