"""The addresses of budgets."""

from django.urls import path

from console.views import budgets

urlpatterns = [
    path("budgets", budgets.budgets, name="budgets"),
    path("budgets/new", budgets.create, name="new_budget"),
    path("budgets/<str:budget>", budgets.budget, name="budget"),
    path("budgets/<str:budget>/edit", budgets.edit, name="edit_budget"),
    path("budgets/<str:budget>/remove", budgets.remove, name="remove_budget"),
]
