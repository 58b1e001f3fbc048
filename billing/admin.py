"""Registers the admin of every feature."""

from billing.catalog import admin as catalog
from billing.credits import admin as credits
from billing.customers import admin as customers
from billing.invoicing import admin as invoicing
from billing.ledger import admin as ledger
from billing.payments import admin as payments

__all__ = ["catalog", "credits", "customers", "invoicing", "ledger", "payments"]
