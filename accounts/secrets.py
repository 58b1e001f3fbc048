"""Secrets that are given out once and kept as hashes: of API keys, links and sessions."""

from __future__ import annotations

import hashlib
import secrets


def new_secret() -> str:
    """256 random bits, to be put into an address or a header."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """SHA-256 of a secret. It has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
