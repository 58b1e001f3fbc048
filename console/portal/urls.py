from django.urls import path

from console.portal import sign_in, views

app_name = "portal"

urlpatterns = [
    path("", views.overview, name="overview"),
    path("sign-in", sign_in.sign_in, name="sign_in"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
    path("open/<str:token>", sign_in.open_link, name="open"),
    path("colours.css", sign_in.colours, name="colours"),
    path("invoices", views.invoices, name="invoices"),
    path("invoices/<str:invoice>", views.invoice, name="invoice"),
    path("invoices/<str:invoice>/pdf", views.pdf, name="pdf"),
    path("invoices/<str:invoice>/lines/<str:line>/events", views.line_events, name="line_events"),
    path("tasks", views.tasks, name="tasks"),
    path("task", views.task, name="task"),
    path("budgets", views.budgets, name="budgets"),
    path("budgets/<str:budget>/remove", views.remove_alert, name="remove_alert"),
    path("keys", views.keys, name="keys"),
    path("keys/<str:api_key>/revoke", views.revoke_key, name="revoke_key"),
    path("details", views.details, name="details"),
]
