"""The page to which the link in mail and on invoices leads: what is due, and the way to the provider's page."""
