from django.urls import path

from metering.otlp.views import TracesView

urlpatterns = [path("traces", TracesView.as_view())]
