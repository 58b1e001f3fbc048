"""What other rooms may use of billing."""

from billing.documents.languages import LANGUAGES, Language, language_of
from billing.documents.making import credit_note_pdf, credit_note_xml, invoice_pdf, invoice_xml
from billing.documents.profile_fields import FIELDS as SELLER_FIELDS
from billing.documents.profile_fields import SellerProfileInvalid
from billing.models import (
    BillingRun,
    CreditNote,
    CreditNoteLine,
    Customer,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Payment,
    Plan,
    PlanVersion,
    Price,
    Subscription,
    TestClock,
)
from billing.models.fields import ExactDecimalField
from billing.models.invoices import InvoiceStatus
from billing.paying import offer_payment_links
from billing.queries.bills import billing_period_at
from billing.queries.catalogue import get_plan, newest_version, plans_of
from billing.queries.clocks import clock_of
from billing.queries.credits import Holding, holdings, movements_of
from billing.queries.customers import customers_of, get_customer, get_subscription, subscriptions_of
from billing.queries.invoices import events_behind, get_invoice, get_line, invoices_of, runs_of
from billing.queries.late_changes import Change, unbilled_changes
from billing.queries.late_usage import SETTLED
from billing.queries.ledger import TrialBalanceRow, transactions_of, trial_balance
from billing.queries.open_revenue import OpenAmount, OpenAmounts, open_amounts
from billing.queries.payments import credit_notes_of, get_payment, payments_of
from billing.queries.rating import PricedInvoice, PricedLine, Unpriceable, price_month
from billing.queries.sellers import payment_link, seller_profile_of
from billing.queries.settlement import settlement_window
from billing.queries.spend import OpenSpend, open_spend
from billing.queries.timeline import seats_at, status_at, version_at
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
from billing.services.credit_notes import issue_credit_note
from billing.services.customers import create_customer, subscribe, update_customer
from billing.services.drafts import finalize_invoice, refresh_draft
from billing.services.letters import letter_context
from billing.services.open_revenue import open_months, refresh_open_revenue
from billing.services.payments import (
    lock_invoice,
    paid_for,
    pay_invoice,
    refund_payment,
    void_invoice,
    write_off_invoice,
)
from billing.services.recognition import recognize_revenue
from billing.services.runs import close_month, start_billing_run
from billing.services.sellers import change_logo, change_seller_profile
from billing.services.versions import version_numbered
from billing.watching import watch_invoices

__all__ = [
    "LANGUAGES",
    "SELLER_FIELDS",
    "SETTLED",
    "BillingRun",
    "Change",
    "CreditNote",
    "CreditNoteLine",
    "Customer",
    "ExactDecimalField",
    "Holding",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "Language",
    "LedgerEntry",
    "OpenAmount",
    "OpenAmounts",
    "OpenSpend",
    "Payment",
    "Plan",
    "PlanVersion",
    "Price",
    "PricedInvoice",
    "PricedLine",
    "SellerProfileInvalid",
    "Subscription",
    "TestClock",
    "TrialBalanceRow",
    "Unpriceable",
    "add_add_on",
    "billing_period_at",
    "cancel_subscription",
    "change_logo",
    "change_plan",
    "change_seats",
    "change_seller_profile",
    "clock_of",
    "close_month",
    "create_customer",
    "create_plan",
    "create_plan_version",
    "credit_note_pdf",
    "credit_note_xml",
    "credit_notes_of",
    "customers_of",
    "events_behind",
    "finalize_invoice",
    "get_customer",
    "get_invoice",
    "get_line",
    "get_payment",
    "get_plan",
    "get_subscription",
    "holdings",
    "invoice_pdf",
    "invoice_xml",
    "invoices_of",
    "issue_credit_note",
    "language_of",
    "letter_context",
    "lock_invoice",
    "movements_of",
    "newest_version",
    "offer_payment_links",
    "open_amounts",
    "open_months",
    "open_spend",
    "paid_for",
    "pause_subscription",
    "pay_invoice",
    "payment_link",
    "payments_of",
    "plans_of",
    "price_month",
    "recognize_revenue",
    "refresh_draft",
    "refresh_open_revenue",
    "refund_payment",
    "remove_add_on",
    "resume_subscription",
    "runs_of",
    "seats_at",
    "seller_profile_of",
    "settlement_window",
    "start_billing_run",
    "status_at",
    "subscribe",
    "subscriptions_of",
    "transactions_of",
    "trial_balance",
    "unbilled_changes",
    "upcoming_invoices",
    "update_customer",
    "version_at",
    "version_numbered",
    "void_invoice",
    "watch_invoices",
    "write_off_invoice",
]
