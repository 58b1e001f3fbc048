"""Errors that more than one of billing's services raise."""

from kernel.errors import ConflictError, InvalidError


class KeyTaken(ConflictError):
    code = "key_taken"


class CurrencyMismatch(InvalidError):
    code = "currency_mismatch"


class Unsupported(InvalidError):
    """The contract knows this, and this version does not do it yet. Nothing is guessed in its place."""

    code = "unsupported"
