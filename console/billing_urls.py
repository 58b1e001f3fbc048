"""The addresses of what is charged, and to whom: plans, subscriptions, credit, coupons and charges."""

from django.urls import path

from console.views import plan_editor, plan_migration, plans

urlpatterns = [
    path("plans", plans.plans, name="plans"),
    path("plans/new", plan_editor.new_plan, name="new_plan"),
    path("plans/preview", plan_editor.preview, name="plan_preview"),
    path("plans/compare", plans.compare, name="compare_plans"),
    path("plans/compare.csv", plans.curves_csv, name="curves_csv"),
    path("plan/<str:plan>", plans.plan, name="plan"),
    path("plan/<str:plan>/version", plan_editor.new_version, name="new_version"),
    path("plan/<str:plan>/migrate", plan_migration.migrate, name="migrate_plan"),
    path("plan/<str:plan>/migration", plans.migration, name="plan_migration"),
    path("plan/<str:plan>/archive", plans.archive, name="archive_plan"),
]
