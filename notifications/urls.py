from django.urls import path

from notifications.api import views

urlpatterns = [
    path("webhook_endpoints", views.EndpointsView.as_view()),
    path("webhook_endpoints/<str:endpoint>", views.EndpointView.as_view()),
    path("webhook_endpoints/<str:endpoint>/rotate_secret", views.RotateView.as_view()),
    path("webhook_endpoints/<str:endpoint>/test", views.TestView.as_view()),
    path("webhook_endpoints/<str:endpoint>/replay_failed", views.ReplayFailedView.as_view()),
    path("webhook_deliveries", views.DeliveriesView.as_view()),
    path("webhook_deliveries/<str:delivery>", views.DeliveryView.as_view()),
    path("webhook_deliveries/<str:delivery>/replay", views.ReplayView.as_view()),
]
