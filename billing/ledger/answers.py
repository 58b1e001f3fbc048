"""Shapes of the API answers of the ledger."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import CharField, Serializer

from rest.serializers import DecimalField, InstantField, Shape


class LedgerEntry(Serializer[Any]):
    """A debit is positive, a credit negative."""

    account = CharField()
    amount = DecimalField()


class LedgerTransaction(Serializer[Any]):
    """Its entries sum to zero."""

    id = CharField()
    kind = CharField()
    occurred_at = InstantField()
    currency = CharField()
    customer = CharField()
    invoice = CharField(allow_null=True)
    payment = CharField(allow_null=True)
    credit_note = CharField(allow_null=True)
    entries = LedgerEntry(many=True)


class AccountBalance(Serializer[Any]):
    account = CharField()
    currency = CharField()
    balance = DecimalField()


class AccountBalances(Shape):
    """Of all that happened before `at`."""

    at = InstantField(allow_null=True)
    data = AccountBalance(many=True)


class TrialBalanceTotal(Serializer[Any]):
    currency = CharField()
    opening = DecimalField()
    debits = DecimalField()
    credits = DecimalField()
    closing = DecimalField()


class TrialBalanceRow(TrialBalanceTotal):
    account = CharField()


class TrialBalance(Shape):
    """`opening` and `closing` of `totals` are zero, and its `debits` are its `credits`."""

    month = CharField()
    data = TrialBalanceRow(many=True)
    totals = TrialBalanceTotal(many=True)


class RevenueMonth(Shape):
    """What was posted as earned in a month, what of deferred revenue is still to be, and what is deferred after it."""

    month = CharField()
    currency = CharField()
    recognized = DecimalField()
    scheduled = DecimalField()
    deferred = DecimalField()


class RevenueSchedule(Shape):
    data = RevenueMonth(many=True)
