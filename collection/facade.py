"""What other rooms may use of collection."""

from collection.queries.dunning import is_suspended, suspended_customers

__all__ = ["is_suspended", "suspended_customers"]
