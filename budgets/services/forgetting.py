"""Budgets of a customer whose personal details are removed."""

from __future__ import annotations

from datetime import datetime

from accounts.facade import Person
from budgets.models import Budget, Reservation
from budgets.services.budgets import remove_budget


def forget_budgets(person: Person, *, now: datetime, is_erased: bool) -> int:
    """Give the customer's budgets neutral names and take recipients of their alerts that are its own off them; with
    `is_erased`, remove them. Returns how many there were."""
    budgets = list(Budget.objects.select_for_update().filter(customer__in=person.customers))
    for budget in budgets:
        budget.name = "Budget"
        for threshold in budget.thresholds:
            kept = [one for one in threshold.get("recipients") or [] if one not in person.texts and not is_erased]
            threshold["recipients"] = kept
        budget.save(update_fields=["name", "thresholds"])
        if is_erased:
            remove_budget(budget=budget, now=now)
    return len(budgets)


def budgeted_dimensions(organization_id: int) -> set[tuple[str, str]]:
    """(meter, dimension), by their keys, of each dimension whose values budgets go by."""
    rows = Budget.objects.filter(organization_id=organization_id, meter__isnull=False).values_list(
        "meter__key", "filter"
    )
    return {(meter, str(name)) for meter, where in rows for name in where or {}}


def has_budgets(customer_id: str) -> bool:
    """Report if the customer has a budget of its own that is not removed."""
    return Budget.objects.filter(customer=customer_id, removed_at=None).exists()


def has_open_reservations(customer_id: str) -> bool:
    """Report if the customer has a reservation that has not ended."""
    return Reservation.objects.filter(customer=customer_id, ended_at=None).exists()
