"""Files for finance: what is in them, how they are made and kept. The only room that knows pandas."""
