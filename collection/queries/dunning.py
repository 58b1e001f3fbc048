from __future__ import annotations

from django.db.models import QuerySet

from billing.facade import Customer
from collection.models import InvoiceCollection


def _suspending(organization_id: int) -> QuerySet[InvoiceCollection]:
    """The open collections that keep their customer suspended."""
    return InvoiceCollection.objects.filter(
        organization_id=organization_id, closed_at=None, suspended_at__isnull=False, reinstated_at=None
    )


def is_suspended(customer: Customer) -> bool:
    """Whether a customer may not use anything until it has paid: one look at an index."""
    return _suspending(customer.organization_id).filter(customer_id=customer.pk).exists()


def suspended_customers(organization_id: int) -> frozenset[str]:
    """The ids of the organization's suspended customers."""
    return frozenset(_suspending(organization_id).values_list("customer_id", flat=True))
