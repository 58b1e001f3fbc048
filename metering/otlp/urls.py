from django.urls import path

from metering.otlp.views import LogsView, TracesView

urlpatterns = [path("traces", TracesView.as_view()), path("logs", LogsView.as_view())]
