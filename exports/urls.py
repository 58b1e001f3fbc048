from __future__ import annotations

from django.urls import path

from exports.api import views

urlpatterns = [
    path("exports", views.ExportsView.as_view()),
    path("exports/<str:export>", views.ExportView.as_view()),
    path("exports/<str:export>/download", views.DownloadView.as_view()),
    path("export_schedules", views.SchedulesView.as_view()),
    path("export_schedules/<str:schedule>", views.ScheduleView.as_view()),
]
