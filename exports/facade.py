"""What other rooms may use of exports."""
