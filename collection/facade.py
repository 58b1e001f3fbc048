"""What other rooms may use of collection."""

from collection.api.present import webhook_url
from collection.models import BankTransfer, CollectionPolicy, ProviderCall, ReconciliationDifference, StripeAccount
from collection.models.accounts import ChargeAt, LostDispute, ProviderName
from collection.models.calls import CallState
from collection.models.dunning import DunningState
from collection.providers.contract import ProviderUnavailable
from collection.queries.accounts import (
    StripeAccountMissing,
    customer_known_to_stripe,
    paying_customer,
    policy_of,
    stripe_account_of,
)
from collection.queries.backlog import call_backlog
from collection.queries.dunning import is_suspended, suspended_customers
from collection.queries.payments import (
    bank_transfers_of,
    calls_of,
    collection_of,
    collections_of,
    differences_of,
    get_bank_transfer,
    get_call,
    provider_payments_of,
    reconciliations_of,
)
from collection.services.accounts import (
    change_policy,
    check_stripe,
    connect_stripe,
    disconnect_stripe,
    set_webhook_secret,
)
from collection.services.again import repeat_call
from collection.services.bank_transfers import match_bank_transfer, record_bank_transfer
from collection.services.charging import ask_to_charge, may_be_charged
from collection.services.customers import change_customer, payment_setup_page
from collection.services.customers import payment_page as hosted_page
from collection.services.dunning import reinstate_customer
from collection.services.events import HANDLED_TYPES
from collection.services.forgetting import forget_paying_customer
from collection.services.links import invoice_of_link, payment_link
from collection.tasks import ask_to_reconcile

CALL_STATES: tuple[str, ...] = tuple(CallState.values)

__all__ = [
    "CALL_STATES",
    "HANDLED_TYPES",
    "BankTransfer",
    "ChargeAt",
    "CollectionPolicy",
    "DunningState",
    "LostDispute",
    "ProviderCall",
    "ProviderName",
    "ProviderUnavailable",
    "ReconciliationDifference",
    "StripeAccount",
    "StripeAccountMissing",
    "ask_to_charge",
    "ask_to_reconcile",
    "bank_transfers_of",
    "call_backlog",
    "calls_of",
    "change_customer",
    "change_policy",
    "check_stripe",
    "collection_of",
    "collections_of",
    "connect_stripe",
    "customer_known_to_stripe",
    "differences_of",
    "disconnect_stripe",
    "forget_paying_customer",
    "get_bank_transfer",
    "get_call",
    "hosted_page",
    "invoice_of_link",
    "is_suspended",
    "match_bank_transfer",
    "may_be_charged",
    "paying_customer",
    "payment_link",
    "payment_setup_page",
    "policy_of",
    "provider_payments_of",
    "reconciliations_of",
    "record_bank_transfer",
    "reinstate_customer",
    "repeat_call",
    "set_webhook_secret",
    "stripe_account_of",
    "suspended_customers",
    "webhook_url",
]
