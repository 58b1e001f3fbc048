"""Limits on money and usage: alerts, and the question an agent asks before it acts."""
