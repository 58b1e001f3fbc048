"""The console and the portal in a real Chromium, against the real server. `README.md` says how to add a test."""
