"""What each event in the life of money does to the books: values in, balanced entries out.

An entry's amount is signed: a debit is positive, a credit negative, and those of one posting sum to zero (the idea
is Beancount's: a ledger of immutable values). Amounts are in major units, rounded to their currency before.
Everything a customer owes or gets back passes through `receivable`, so that its balance is what is due.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.rating.pricing.exact import ZERO, subtract, total


class Account(StrEnum):
    """The chart of accounts. It is fixed: reports and invariants know what each account means."""

    #: Assets: what customers owe for finalized invoices, and what came in.
    RECEIVABLE = "receivable"
    CASH = "cash"
    #: Liabilities: billed and not yet earned, owed to the tax office, prepaid by customers or in their favour.
    DEFERRED_REVENUE = "deferred_revenue"
    TAX_PAYABLE = "tax_payable"
    CUSTOMER_CREDITS = "customer_credits"
    #: Income: earned, and prepaid credits that were never used.
    REVENUE = "revenue"
    BREAKAGE = "breakage"
    #: Expenses: credits given away, and invoices that nobody will pay.
    PROMOTION_EXPENSE = "promotion_expense"
    BAD_DEBT = "bad_debt"


#: What a grant of money was given for; the values are those of `CreditGrant.source`.
PROMOTION, PURCHASE, BALANCE, ROLLOVER = "promotion", "purchase", "balance", "rollover"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting; a debit is positive."""

    account: Account
    amount: Decimal


Entries = tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Draws:
    """Prepaid money that an invoice used: what was a liability, and what was given away."""

    credits: Decimal = ZERO
    promotions: Decimal = ZERO


def invoice_finalized(*, total: Decimal, tax: Decimal, earned: Decimal, deferred: Decimal, draws: Draws) -> Entries:
    """The customer owes `total`, which is tax, revenue that is earned already and revenue that is not; draws pay
    part of it at once. `earned` and `deferred` are net of discounts."""
    return _balanced(
        (Account.RECEIVABLE, total),
        (Account.REVENUE, -earned),
        (Account.DEFERRED_REVENUE, -deferred),
        (Account.TAX_PAYABLE, -tax),
        *_paid_by_draws(draws),
    )


def invoice_voided(
    *, total: Decimal, tax: Decimal, earned: Decimal, deferred: Decimal, draws: Draws, written_off: Decimal
) -> Entries:
    """The reverse of finalizing, and of writing off where that was done. `deferred` is what is still unearned on the
    day, `earned` the rest; draws go back to the credits they came from."""
    billed = invoice_finalized(total=total, tax=tax, earned=earned, deferred=deferred, draws=draws)
    return (*_reversed(billed), *_reversed(invoice_written_off(due=written_off)))


def invoice_written_off(*, due: Decimal) -> Entries:
    """What is due will not be paid. The tax in it stays payable: whether it is given back is a matter of law."""
    return _balanced((Account.BAD_DEBT, due), (Account.RECEIVABLE, -due))


def payment_received(*, amount: Decimal, written_off: bool) -> Entries:
    """Money came in for what is due; for an invoice that was written off it makes the bad debt smaller."""
    return _balanced((Account.CASH, amount), (_owed(written_off), -amount))


def payment_refunded(*, amount: Decimal, written_off: bool) -> Entries:
    """Money went back to the customer (`amount` is positive)."""
    return _reversed(payment_received(amount=amount, written_off=written_off))


def credit_note_issued(
    *, earned: Decimal, deferred: Decimal, tax: Decimal, applied: Decimal, written_off: bool
) -> Entries:
    """Takes back revenue, unearned revenue and tax. `applied` of it lowers what is due; the rest is owed to the
    customer until the grant or the refund that goes with the note is posted."""
    rest = subtract(total((earned, deferred, tax)), applied)
    return _balanced(
        (Account.REVENUE, earned),
        (Account.DEFERRED_REVENUE, deferred),
        (Account.TAX_PAYABLE, tax),
        (_owed(written_off), -applied),
        (Account.RECEIVABLE, -rest),
    )


def credit_granted(*, source: str, amount: Decimal) -> Entries:
    """A grant of money. Bought: the money came in and the service is owed. A balance in the customer's favour: what
    receivable owes them becomes credit. A promotion costs nothing until it is drawn; what was rolled over is owed
    already."""
    if source == PURCHASE:
        return _balanced((Account.CASH, amount), (Account.CUSTOMER_CREDITS, -amount))
    if source == BALANCE:
        return _balanced((Account.RECEIVABLE, amount), (Account.CUSTOMER_CREDITS, -amount))
    return ()


def credit_rolled_over(*, source: str, amount: Decimal) -> Entries:
    """What is left of a grant becomes another one. A promotion that is renewed is owed from then on: what remains
    of it is an expense at that time, because the new grant no longer knows what it was given for."""
    if source == PROMOTION:
        return _balanced((Account.PROMOTION_EXPENSE, amount), (Account.CUSTOMER_CREDITS, -amount))
    return ()


def credit_expired(*, source: str, amount: Decimal) -> Entries:
    """Credit that was paid for and never used is income (breakage). A promotion was never in the books."""
    if source == PROMOTION:
        return ()
    return _balanced((Account.CUSTOMER_CREDITS, amount), (Account.BREAKAGE, -amount))


def credit_voided(*, source: str, amount: Decimal) -> Entries:
    """A grant is taken back. What is left of a purchase goes back to who paid it; of other credit, nobody did."""
    if source == PURCHASE:
        return _balanced((Account.CUSTOMER_CREDITS, amount), (Account.CASH, -amount))
    return credit_expired(source=source, amount=amount)


def revenue_recognized(*, amount: Decimal) -> Entries:
    """Deferred revenue is earned; a negative amount takes back what was."""
    return _balanced((Account.DEFERRED_REVENUE, amount), (Account.REVENUE, -amount))


def draws_by_source(drawn: Iterable[tuple[str, Decimal]]) -> Draws:
    """Draws (source, positive amount) by what they were in the books before."""
    found = list(drawn)
    return Draws(
        credits=total(amount for source, amount in found if source != PROMOTION),
        promotions=total(amount for source, amount in found if source == PROMOTION),
    )


def _paid_by_draws(draws: Draws) -> tuple[tuple[Account, Decimal], ...]:
    return (
        (Account.CUSTOMER_CREDITS, draws.credits),
        (Account.PROMOTION_EXPENSE, draws.promotions),
        (Account.RECEIVABLE, -draws.credits),
        (Account.RECEIVABLE, -draws.promotions),
    )


def _owed(written_off: bool) -> Account:
    return Account.BAD_DEBT if written_off else Account.RECEIVABLE


def _balanced(*sides: tuple[Account, Decimal]) -> Entries:
    """The entries that are not zero; `Unbalanced` where they do not sum to it."""
    entries = tuple(Entry(account, amount) for account, amount in sides if amount)
    if difference := total(entry.amount for entry in entries):
        raise Unbalanced(f"these entries leave {difference}: {entries}")
    return entries


def _reversed(entries: Entries) -> Entries:
    return tuple(Entry(entry.account, -entry.amount) for entry in entries)


class Unbalanced(ValueError):
    """What was to be posted does not sum to zero: the amounts it was given do not belong together."""
