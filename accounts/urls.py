from django.urls import path

from accounts.api import keys, views

urlpatterns = [
    path("members", views.MembersView.as_view()),
    path("members/<str:member>", views.MemberView.as_view()),
    path("invitations", views.InvitationsView.as_view()),
    path("invitations/<str:invitation>", views.InvitationView.as_view()),
    path("api_keys", keys.ApiKeysView.as_view()),
    path("api_keys/<str:api_key>", keys.ApiKeyView.as_view()),
    path("api_keys/<str:api_key>/hand_over", keys.HandOverView.as_view()),
    path("api_keys/<str:api_key>/review", keys.ReviewView.as_view()),
    path("audit_entries", views.AuditEntriesView.as_view()),
]
