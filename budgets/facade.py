"""What other rooms may use of budgets."""

from budgets.contracts import Ask, Reserved, Verdict
from budgets.models import Budget, Crossing, Measure, PeriodKind, Scope
from budgets.queries.budgets import BudgetState, budget_state, budgets_of, crossings_of, get_budget
from budgets.queries.costs import CostAnswer, register_cost_reader
from budgets.queries.lag import EvaluationBacklog, evaluation_backlog
from budgets.services.budgets import create_budget, remove_budget, update_budget
from budgets.services.checking import check_entitlement, check_work
from budgets.services.evaluation import evaluate_budgets
from budgets.services.forgetting import budgeted_dimensions, forget_budgets, has_budgets, has_open_reservations
from budgets.services.reservations import commit_reservation, expire_reservations, release_reservation

__all__ = [
    "Ask",
    "Budget",
    "BudgetState",
    "CostAnswer",
    "Crossing",
    "EvaluationBacklog",
    "Measure",
    "PeriodKind",
    "Reserved",
    "Scope",
    "Verdict",
    "budget_state",
    "budgeted_dimensions",
    "budgets_of",
    "check_entitlement",
    "check_work",
    "commit_reservation",
    "create_budget",
    "crossings_of",
    "evaluate_budgets",
    "evaluation_backlog",
    "expire_reservations",
    "forget_budgets",
    "get_budget",
    "has_budgets",
    "has_open_reservations",
    "register_cost_reader",
    "release_reservation",
    "remove_budget",
    "update_budget",
]
