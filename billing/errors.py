"""Errors that more than one of billing's services raise."""

from kernel.errors import ConflictError, InvalidError


class KeyTaken(ConflictError):
    code = "key_taken"


class CurrencyMismatch(InvalidError):
    code = "currency_mismatch"
