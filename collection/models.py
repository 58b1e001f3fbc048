"""How an invoice gets paid: providers (Stripe, manual payments), retries, reminders, reconciliation."""
