"""What other systems and people hear from us: webhooks and mail, each sent until it arrives."""
