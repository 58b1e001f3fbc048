"""The addresses of files for finance: exports, what they made, and the schedules that start them."""

from django.urls import path

from console.views import exports

urlpatterns = [
    path("exports", exports.exports, name="exports"),
    path("exports/list", exports.export_list, name="export_list"),
    path("exports/new", exports.create, name="new_export"),
    path("exports/schedules/new", exports.create_export_schedule, name="new_export_schedule"),
    path("exports/schedules/<str:schedule>", exports.edit_export_schedule, name="edit_export_schedule"),
    path("exports/<str:export>", exports.export, name="export"),
    path("exports/<str:export>/state", exports.export_state, name="export_state"),
    path("exports/<str:export>/download", exports.download, name="download_export"),
]
