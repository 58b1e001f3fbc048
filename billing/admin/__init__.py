"""Billing's pages in the admin, a file for each part of it."""

from billing.admin import catalogue, credits, customers, invoices, ledger, open_revenue, payments, sellers

__all__ = ["catalogue", "credits", "customers", "invoices", "ledger", "open_revenue", "payments", "sellers"]
