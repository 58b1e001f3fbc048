"""Billing's tables, a file for each part of it."""

from billing.models.catalogue import Plan, PlanVersion, Price, PricingUnit
from billing.models.charges import OneOffCharge
from billing.models.coupons import Coupon, CouponRedemption, InvoiceDiscount
from billing.models.credits import CreditGrant, CreditMovement
from billing.models.customers import (
    Customer,
    PlanChange,
    SeatChange,
    Subscription,
    SubscriptionAddOn,
    SubscriptionPause,
    TestClock,
)
from billing.models.invoices import BillingRun, BillingRunBatch, Invoice, InvoiceCounter, InvoiceLine
from billing.models.late import LateUsage, LateUsageMark
from billing.models.ledger import DeferredRevenue, LedgerEntry, LedgerTransaction
from billing.models.migrations_of_plans import PlanMigration
from billing.models.open_revenue import OpenRevenue, OpenRevenueReader
from billing.models.payments import CreditNote, CreditNoteCounter, CreditNoteLine, Payment
from billing.models.policy import BillingPolicy
from billing.models.sellers import InvoiceIdentity, SellerLogo, SellerProfile

__all__ = [
    "BillingPolicy",
    "BillingRun",
    "BillingRunBatch",
    "Coupon",
    "CouponRedemption",
    "CreditGrant",
    "CreditMovement",
    "CreditNote",
    "CreditNoteCounter",
    "CreditNoteLine",
    "Customer",
    "DeferredRevenue",
    "Invoice",
    "InvoiceCounter",
    "InvoiceDiscount",
    "InvoiceIdentity",
    "InvoiceLine",
    "LateUsage",
    "LateUsageMark",
    "LedgerEntry",
    "LedgerTransaction",
    "OneOffCharge",
    "OpenRevenue",
    "OpenRevenueReader",
    "Payment",
    "Plan",
    "PlanChange",
    "PlanMigration",
    "PlanVersion",
    "Price",
    "PricingUnit",
    "SeatChange",
    "SellerLogo",
    "SellerProfile",
    "Subscription",
    "SubscriptionAddOn",
    "SubscriptionPause",
    "TestClock",
]
