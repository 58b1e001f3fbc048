"""Billing's tables, a file for each part of it."""

from billing.catalog.models import Plan, PlanMigration, PlanVersion, Price, PricingUnit
from billing.credits.models import Coupon, CouponRedemption, CreditGrant, CreditMovement, InvoiceDiscount, OneOffCharge
from billing.customers.models import BillingPolicy, Customer, SellerLogo, SellerProfile
from billing.invoicing.models import (
    BillingRun,
    BillingRunBatch,
    EmptyBill,
    Invoice,
    InvoiceCounter,
    InvoiceIdentity,
    InvoiceLine,
    LateUsage,
    LateUsageMark,
    OpenRevenue,
    OpenRevenueReader,
)
from billing.ledger.models import DeferredRevenue, LedgerEntry, LedgerTransaction
from billing.payments.models import CreditNote, CreditNoteCounter, CreditNoteLine, Payment
from billing.subscriptions.models import (
    PlanChange,
    SeatChange,
    Subscription,
    SubscriptionAddOn,
    SubscriptionPause,
)
from billing.test_clocks.models import TestClock

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
    "EmptyBill",
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
