from django.urls import path

from metering.api import quarantine, views
from metering.api.stream import UsageStreamView

urlpatterns = [
    path("events", views.EventsView.as_view()),
    path("events/amend", views.AmendView.as_view()),
    path("quarantined_events", quarantine.QuarantinedEventsView.as_view()),
    path("quarantined_events/<str:event>/release", quarantine.ReleaseView.as_view()),
    path("quarantined_events/<str:event>/discard", quarantine.DiscardView.as_view()),
    path("meters", views.MetersView.as_view()),
    path("meters/<str:meter>", views.MeterView.as_view()),
    path("meters/<str:meter>/versions", views.MeterVersionsView.as_view()),
    path("meters/<str:meter>/usage", views.UsageView.as_view()),
    path("meters/<str:meter>/usage/stream", UsageStreamView.as_view()),
]
