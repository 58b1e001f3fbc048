"""A customer at payment providers, whose personal details are removed here."""

from __future__ import annotations

from accounts.facade import Person
from collection.models import BankTransfer, PayingCustomer, ProviderCall
from collection.models.calls import OPEN_STATES


def forget_paying_customer(person: Person, *, is_erased: bool) -> dict[str, int]:
    """Remove what describes a customer's means of payment, what calls to providers said of it, and the texts of its
    bank transfers. Calls that are still to be made keep what they send. With `is_erased`, the customer's tie to the
    provider goes too; at the provider itself nothing is changed.
    """
    paying = PayingCustomer.objects.filter(customer__in=person.customers)
    done = {"payment_methods": paying.exclude(payment_method_hint="").update(payment_method_hint="")}
    if is_erased:
        done["payment_methods"] += paying.delete()[0]
    calls = ProviderCall.objects.filter(customer__in=person.customers).exclude(state__in=OPEN_STATES)
    done["provider_calls"] = calls.update(request={}, error_detail="")
    transfers = BankTransfer.objects.filter(invoice__customer__in=person.customers)
    done["bank_transfers"] = transfers.exclude(text="").update(text="")
    return done
