"""Requests and mail on their way out. Nothing here runs within a transaction of what is sent about."""
