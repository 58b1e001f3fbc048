"""What the launcher can fail with, in words for the person at the terminal."""

from __future__ import annotations


class LauncherError(Exception):
    """Something on this machine is in the way. The text says what, and what to do about it."""
