"""What other rooms may use of budgets."""

from budgets.models import Budget, Crossing
from budgets.queries.budgets import BudgetState, budget_state, budgets_of, crossings_of, get_budget
from budgets.services.budgets import create_budget, remove_budget, update_budget

__all__ = [
    "Budget",
    "BudgetState",
    "Crossing",
    "budget_state",
    "budgets_of",
    "create_budget",
    "crossings_of",
    "get_budget",
    "remove_budget",
    "update_budget",
]
