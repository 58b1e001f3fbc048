from __future__ import annotations

from django.urls import path

from privacy.api import views

urlpatterns = [
    path("privacy_policy", views.PrivacyPolicyView.as_view()),
    path("customers/<str:customer>/anonymize", views.AnonymizeView.as_view()),
    path("customers/<str:customer>/erase", views.EraseView.as_view()),
    path("customers/<str:customer>/export", views.ExportView.as_view()),
    path("customers/<str:customer>/merge", views.MergeView.as_view()),
]
