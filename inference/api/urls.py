from django.urls import path

from inference.api import catalogue

urlpatterns = [
    path("models", catalogue.ModelsView.as_view()),
    path("models/<str:reference>", catalogue.ModelView.as_view()),
    path("models/<str:reference>/recall", catalogue.RecallView.as_view()),
    path("models/<str:reference>/tasks", catalogue.ModelTasksView.as_view()),
    path("models/<str:reference>/load", catalogue.LoadView.as_view()),
    path("models/<str:reference>/unload", catalogue.LoadView.as_view(action="unload")),
    path("engine/metrics", catalogue.MetricsView.as_view()),
]
