"""What other rooms may use of collection."""
