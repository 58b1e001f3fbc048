from django.urls import path

from budgets.api.views import budgets, checks, features

urlpatterns = [
    path("entitlements/check", checks.CheckView.as_view()),  # asked most, so looked at first
    path("budgets", budgets.BudgetsView.as_view()),
    path("budgets/<str:budget>", budgets.BudgetView.as_view()),
    path("budgets/<str:budget>/crossings", budgets.CrossingsView.as_view()),
    path("features", features.FeaturesView.as_view()),
    path("features/<str:feature>", features.FeatureView.as_view()),
    path("plans/<str:plan>/versions/<int:version>/entitlements", features.EntitlementsView.as_view()),
    path("reservations/<str:reservation>", checks.ReservationView.as_view()),
    path("reservations/<str:reservation>/commit", checks.CommitView.as_view()),
    path("reservations/<str:reservation>/release", checks.ReleaseView.as_view()),
]
