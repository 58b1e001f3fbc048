from django.urls import path, re_path

from billing.api.views import catalogue, customers, invoices, pricing_units, subscriptions, test_clocks

urlpatterns = [
    path("customers", customers.CustomersView.as_view()),
    path("customers/<str:customer>", customers.CustomerView.as_view()),
    path("customers/<str:customer>/upcoming_invoice", customers.UpcomingInvoiceView.as_view()),
    path("subscriptions", subscriptions.SubscriptionsView.as_view()),
    path("subscriptions/<str:subscription>", subscriptions.SubscriptionView.as_view()),
    path("subscriptions/<str:subscription>/change", subscriptions.ChangeView.as_view()),
    path("subscriptions/<str:subscription>/cancel", subscriptions.CancelView.as_view()),
    re_path(r"^subscriptions/(?P<subscription>[^/]+)/(?P<action>pause|resume)$", subscriptions.PauseView.as_view()),
    path("subscriptions/<str:subscription>/add_ons", subscriptions.AddOnsView.as_view()),
    path("subscriptions/<str:subscription>/add_ons/<str:add_on>/remove", subscriptions.AddOnView.as_view()),
    path("plans", catalogue.PlansView.as_view()),
    path("plans/<str:plan>", catalogue.PlanView.as_view()),
    path("plans/<str:plan>/versions", catalogue.PlanVersionsView.as_view()),
    path("pricing_units", pricing_units.PricingUnitsView.as_view()),
    path("pricing_units/<str:unit>", pricing_units.PricingUnitView.as_view()),
    path("pricing/calculate", catalogue.CalculateView.as_view()),
    path("invoices", invoices.InvoicesView.as_view()),
    path("invoices/<str:invoice>", invoices.InvoiceView.as_view()),
    re_path(r"^invoices/(?P<invoice>[^/]+)/(?P<action>finalize|pay|void)$", invoices.InvoiceActionView.as_view()),
    path("invoices/<str:invoice>/late_usage", invoices.LateUsageView.as_view()),
    path("invoices/<str:invoice>/lines/<str:line>/events", invoices.LineEventsView.as_view()),
    path("test_clocks", test_clocks.TestClocksView.as_view()),
    path("test_clocks/<str:test_clock>", test_clocks.TestClockView.as_view()),
    path("test_clocks/<str:test_clock>/advance", test_clocks.AdvanceView.as_view()),
    path("billing_runs", invoices.RunsView.as_view()),
    path("billing_runs/<str:run>", invoices.RunView.as_view()),
]
