"""What other rooms may use of billing."""

from billing.models import BillingRun, Customer, Invoice, InvoiceLine, Plan, PlanVersion, Price, Subscription
from billing.queries.catalogue import get_plan, newest_version, plans_of
from billing.queries.customers import customers_of, get_customer, get_subscription, subscriptions_of
from billing.queries.invoices import events_behind, get_invoice, get_line, invoices_of, runs_of
from billing.queries.late_usage import LateUsage, late_usage
from billing.queries.rating import PricedInvoice, PricedLine, Unpriceable, price_month
from billing.queries.upcoming import upcoming_invoices
from billing.services.catalogue import create_plan, create_plan_version
from billing.services.changes import (
    add_add_on,
    cancel_subscription,
    change_plan,
    change_seats,
    pause_subscription,
    remove_add_on,
    resume_subscription,
)
from billing.services.customers import create_customer, subscribe, update_customer
from billing.services.payments import pay_invoice, void_invoice
from billing.services.runs import close_month, start_billing_run

__all__ = [
    "BillingRun",
    "Customer",
    "Invoice",
    "InvoiceLine",
    "LateUsage",
    "Plan",
    "PlanVersion",
    "Price",
    "PricedInvoice",
    "PricedLine",
    "Subscription",
    "Unpriceable",
    "add_add_on",
    "cancel_subscription",
    "change_plan",
    "change_seats",
    "close_month",
    "create_customer",
    "create_plan",
    "create_plan_version",
    "customers_of",
    "events_behind",
    "get_customer",
    "get_invoice",
    "get_line",
    "get_plan",
    "get_subscription",
    "invoices_of",
    "late_usage",
    "newest_version",
    "pause_subscription",
    "pay_invoice",
    "plans_of",
    "price_month",
    "remove_add_on",
    "resume_subscription",
    "runs_of",
    "start_billing_run",
    "subscribe",
    "subscriptions_of",
    "upcoming_invoices",
    "update_customer",
    "void_invoice",
]
