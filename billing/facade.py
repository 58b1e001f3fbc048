"""What other rooms may use of billing."""

from billing.catalog.queries import get_plan, newest_version, plans_of
from billing.catalog.services import create_plan, create_plan_version
from billing.credits.api import present_grant as present_credit_grant
from billing.credits.queries import Holding, holdings, movements_of
from billing.customers.answers import Customer as CustomerAnswer
from billing.customers.merging import (
    MergeConflict,
    billed_periods,
    mark_merged,
    merge_conflicts,
    waiting_charges,
)
from billing.customers.presenters import customer as present_customer
from billing.customers.privacy import (
    ANONYMIZED_NAME,
    ERASED_NAME,
    ErasureRefused,
    count_retention_again,
    destroy_old_documents,
    keep_documents,
    neutralize_customer,
    person_of,
    priced_dimensions,
    require_erasable,
)
from billing.customers.queries import customers_of, get_customer, payment_link, seller_profile_of
from billing.customers.sellers import buyer_on, change_logo, change_seller_profile
from billing.customers.services import announce_customer, create_customer, require_open, update_customer
from billing.documents.languages import LANGUAGES, Language, language_of
from billing.documents.making import credit_note_pdf, credit_note_xml, e_invoice_problem, invoice_pdf, invoice_xml
from billing.documents.profile_fields import FIELDS as SELLER_FIELDS
from billing.documents.profile_fields import SellerProfileInvalid
from billing.documents.unprintable import unprintable_of_customer, unprintable_of_seller
from billing.invoicing.bills import billing_period_at, settlement_window
from billing.invoicing.drafts import finalize_invoice, refresh_draft
from billing.invoicing.late_changes import Change, unbilled_changes
from billing.invoicing.late_records import SETTLED
from billing.invoicing.letters import letter_context
from billing.invoicing.models import InvoiceStatus
from billing.invoicing.open_revenue import OpenAmount, OpenAmounts, open_amounts, open_months, refresh_open_revenue
from billing.invoicing.presenters import invoice as present_invoice
from billing.invoicing.priced import PricedInvoice, PricedLine, Unpriceable
from billing.invoicing.pricing import price_month
from billing.invoicing.queries import (
    OpenPeriod,
    OpenSpend,
    events_behind,
    get_invoice,
    get_line,
    invoices_of,
    open_periods,
    open_spend,
    runs_of,
    upcoming_invoices,
)
from billing.invoicing.runs import close_month, start_billing_run
from billing.invoicing.sender_voids import preview_sender_void, void_sent_by
from billing.invoicing.unassigned import unassigned_usage
from billing.ledger.queries import TrialBalanceRow, transactions_of, trial_balance
from billing.ledger.recognition import recognize_revenue
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
from billing.payments.credit_notes import issue_credit_note
from billing.payments.links import offer_payment_links
from billing.payments.presenters import credit_note as present_credit_note
from billing.payments.presenters import payment as present_payment
from billing.payments.queries import credit_notes_of, get_payment, payments_of
from billing.payments.services import (
    lock_invoice,
    paid_for,
    pay_invoice,
    refund_payment,
    void_invoice,
    write_off_invoice,
)
from billing.subscriptions.changes import (
    add_add_on,
    change_plan,
    change_seats,
    pause_subscription,
    remove_add_on,
    resume_subscription,
)
from billing.subscriptions.ends import cancel_subscription
from billing.subscriptions.overlaps import overlaps
from billing.subscriptions.presenters import subscription as present_subscription
from billing.subscriptions.queries import get_subscription, subscriptions_of
from billing.subscriptions.subscribing import subscribe
from billing.subscriptions.timeline import billed_from, seats_at, status_at, version_at
from billing.subscriptions.versions import version_numbered
from billing.test_clocks.queries import clock_of
from billing.watching import watch_invoices

__all__ = [
    "ANONYMIZED_NAME",
    "ERASED_NAME",
    "LANGUAGES",
    "SELLER_FIELDS",
    "SETTLED",
    "BillingRun",
    "Change",
    "CreditNote",
    "CreditNoteLine",
    "Customer",
    "CustomerAnswer",
    "ErasureRefused",
    "Holding",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "Language",
    "LedgerEntry",
    "MergeConflict",
    "OpenAmount",
    "OpenAmounts",
    "OpenPeriod",
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
    "announce_customer",
    "billed_from",
    "billed_periods",
    "billing_period_at",
    "buyer_on",
    "cancel_subscription",
    "change_logo",
    "change_plan",
    "change_seats",
    "change_seller_profile",
    "clock_of",
    "close_month",
    "count_retention_again",
    "create_customer",
    "create_plan",
    "create_plan_version",
    "credit_note_pdf",
    "credit_note_xml",
    "credit_notes_of",
    "customers_of",
    "destroy_old_documents",
    "e_invoice_problem",
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
    "keep_documents",
    "language_of",
    "letter_context",
    "lock_invoice",
    "mark_merged",
    "merge_conflicts",
    "movements_of",
    "neutralize_customer",
    "newest_version",
    "offer_payment_links",
    "open_amounts",
    "open_months",
    "open_periods",
    "open_spend",
    "overlaps",
    "paid_for",
    "pause_subscription",
    "pay_invoice",
    "payment_link",
    "payments_of",
    "person_of",
    "plans_of",
    "present_credit_grant",
    "present_credit_note",
    "present_customer",
    "present_invoice",
    "present_payment",
    "present_subscription",
    "preview_sender_void",
    "price_month",
    "priced_dimensions",
    "recognize_revenue",
    "refresh_draft",
    "refresh_open_revenue",
    "refund_payment",
    "remove_add_on",
    "require_erasable",
    "require_open",
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
    "unassigned_usage",
    "unbilled_changes",
    "unprintable_of_customer",
    "unprintable_of_seller",
    "upcoming_invoices",
    "update_customer",
    "version_at",
    "version_numbered",
    "void_invoice",
    "void_sent_by",
    "waiting_charges",
    "watch_invoices",
    "write_off_invoice",
]
