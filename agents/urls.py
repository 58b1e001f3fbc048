from django.urls import path

from agents.api import agents, costs, tasks

urlpatterns = [
    path("agents", agents.AgentsView.as_view()),
    path("agents/<str:agent>", agents.AgentView.as_view()),
    path("agents/<str:agent>/versions", agents.AgentVersionsView.as_view()),
    path("tasks", tasks.TasksView.as_view()),
    # A task's id is whatever its events say, slashes included.
    path("tasks/<path:task_id>/outcome", tasks.OutcomeView.as_view()),
    path("tasks/<path:task_id>/dispute", tasks.DisputeView.as_view()),
    path("tasks/<path:task_id>", tasks.TaskView.as_view()),
    path("costs", costs.CostsView.as_view()),
    path("cost_rates", costs.CostRatesView.as_view()),
]
