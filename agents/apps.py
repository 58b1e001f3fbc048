from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.queries.budget_costs import costs_for_budgets  # noqa: PLC0415 - models exist only from here on
        from budgets.facade import register_cost_reader  # noqa: PLC0415

        register_cost_reader(costs_for_budgets)
