from django.urls import path

from console.views import agents, catalogue, customers, events, invoices, ledger, live, overview, runs, sign_in, tasks

app_name = "console"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live", live.overview_live, name="live"),
    path("charts/<slug:chart>.csv", overview.chart_csv, name="chart_csv"),
    path("sign-in", sign_in.SignIn.as_view(), name="sign_in"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign_out"),
    path("organization", sign_in.choose, name="choose_organization"),
    path("customers", customers.customers, name="customers"),
    path("customers/<str:customer>", customers.customer, name="customer"),
    path("agents", agents.agents, name="agents"),
    path("agent", agents.agent, name="agent"),
    path("tasks", tasks.tasks, name="tasks"),
    path("task", tasks.task, name="task"),
    path("meters", catalogue.meters, name="meters"),
    path("plans", catalogue.plans, name="plans"),
    path("invoices", invoices.invoices, name="invoices"),
    path("invoices/<str:invoice>", invoices.invoice, name="invoice"),
    path("invoices/<str:invoice>/pay", invoices.pay, name="pay_invoice"),
    path("invoices/<str:invoice>/finalize", invoices.finalize, name="finalize_invoice"),
    path("invoices/<str:invoice>/refresh", invoices.refresh, name="refresh_invoice"),
    path("invoices/<str:invoice>/void", invoices.void, name="void_invoice"),
    path("invoices/<str:invoice>/lines/<str:line>/events", invoices.line_events, name="line_events"),
    path("ledger", ledger.ledger, name="ledger"),
    path("events", events.events, name="events"),
    path("events/<uuid:identity>", events.event, name="event"),
    path("runs", runs.runs, name="runs"),
    path("runs/list", runs.run_list, name="run_list"),
]
