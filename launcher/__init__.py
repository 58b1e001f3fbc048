"""Starts and stops Taximeter on one machine: PostgreSQL, Valkey and the processes on top of them.

Plain Python: nothing here imports Django or another room.
"""
