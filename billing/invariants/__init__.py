"""What must always hold of the books, one law a file, each read from the data as it stands.

A law is a module with a `violations(organization_id)` that yields a `Violation` for whatever breaks it; its
first docstring line says what holds. Checked every night, and by `manage.py check_invariants`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from billing.invariants import (
    corrections_are_counted_once,
    credit_note_numbers_have_no_gaps,
    credit_notes_never_exceed_their_invoice,
    deferred_revenue_is_what_is_left_to_earn,
    discounts_are_those_of_their_lines,
    fees_after_the_end_are_given_back,
    grants_are_the_sum_of_their_movements,
    invoices_are_the_sum_of_their_lines,
    invoices_used_the_credit_they_say,
    late_usage_has_a_price,
    ledger_transactions_balance,
    lines_are_what_their_events_come_to,
    no_closed_month_lacks_an_invoice,
    no_day_of_a_plan_is_charged_by_two_subscriptions,
    no_event_is_charged_by_two_lines,
    no_more_is_given_back_than_was_charged,
    no_price_is_charged_twice_for_a_day,
    numbers_have_no_gaps,
    receivable_is_what_is_due,
    recognized_revenue_never_exceeds_what_was_invoiced,
    usage_follows_the_plan_of_its_instant,
    usage_is_charged_once,
)
from billing.invariants.violation import Violation

LAWS: tuple[ModuleType, ...] = (
    corrections_are_counted_once,
    credit_note_numbers_have_no_gaps,
    credit_notes_never_exceed_their_invoice,
    deferred_revenue_is_what_is_left_to_earn,
    discounts_are_those_of_their_lines,
    fees_after_the_end_are_given_back,
    grants_are_the_sum_of_their_movements,
    invoices_are_the_sum_of_their_lines,
    invoices_used_the_credit_they_say,
    late_usage_has_a_price,
    ledger_transactions_balance,
    lines_are_what_their_events_come_to,
    no_closed_month_lacks_an_invoice,
    no_day_of_a_plan_is_charged_by_two_subscriptions,
    no_event_is_charged_by_two_lines,
    no_more_is_given_back_than_was_charged,
    no_price_is_charged_twice_for_a_day,
    numbers_have_no_gaps,
    receivable_is_what_is_due,
    recognized_revenue_never_exceeds_what_was_invoiced,
    usage_follows_the_plan_of_its_instant,
    usage_is_charged_once,
)


def name_of(law: ModuleType) -> str:
    """The law in words: its file's name."""
    return law.__name__.rpartition(".")[2].replace("_", " ")


def check_all(organization_id: int) -> Iterator[tuple[str, list[Violation]]]:
    """Each law's name with what breaks it in an organization."""
    for law in LAWS:
        yield name_of(law), list(law.violations(organization_id))
