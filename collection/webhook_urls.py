from django.urls import path

from collection.api.webhook import stripe_webhook

urlpatterns = [path("webhooks/stripe/<str:token>", stripe_webhook, name="stripe_webhook")]
