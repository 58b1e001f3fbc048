"""What operators look at: usage, cost, customers, agents, plans, invoices and how each line came about.

Reads through the facades of metering, billing and accounts; owns no table and no rule about money.
"""
