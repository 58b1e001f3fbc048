"""What other rooms may use of notifications."""
