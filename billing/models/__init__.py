"""Billing's tables, a file for each part of it."""

from billing.models.catalogue import Plan, PlanVersion, Price
from billing.models.customers import Customer, SeatChange, Subscription, TestClock
from billing.models.invoices import BillingRun, Invoice, InvoiceCounter, InvoiceLine

__all__ = [
    "BillingRun",
    "Customer",
    "Invoice",
    "InvoiceCounter",
    "InvoiceLine",
    "Plan",
    "PlanVersion",
    "Price",
    "SeatChange",
    "Subscription",
    "TestClock",
]
