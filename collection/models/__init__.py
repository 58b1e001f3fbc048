from collection.models.accounts import CollectionPolicy, PayingCustomer, StripeAccount
from collection.models.calls import ProviderCall
from collection.models.dunning import InvoiceCollection
from collection.models.payments import BankTransfer, ProviderDispute, ProviderEvent, ProviderPayment, ProviderRefund
from collection.models.reconciliation import Reconciliation, ReconciliationDifference
from collection.models.usage import StripeMeter, UsagePush

__all__ = [
    "BankTransfer",
    "CollectionPolicy",
    "InvoiceCollection",
    "PayingCustomer",
    "ProviderCall",
    "ProviderDispute",
    "ProviderEvent",
    "ProviderPayment",
    "ProviderRefund",
    "Reconciliation",
    "ReconciliationDifference",
    "StripeAccount",
    "StripeMeter",
    "UsagePush",
]
