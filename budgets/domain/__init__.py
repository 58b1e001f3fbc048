"""Budgets as plain values: how a period is cut, what a threshold says, what an estimate costs at most."""
