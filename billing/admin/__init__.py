"""Billing's pages in the admin, a file for each part of it."""

from billing.admin import catalogue, credits, customers, invoices, payments

__all__ = ["catalogue", "credits", "customers", "invoices", "payments"]
