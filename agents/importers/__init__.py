"""Recorded work brought into the usage event log: agents' runs, and rows of any table."""
