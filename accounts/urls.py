from django.urls import path

from accounts.api import views

urlpatterns = [
    path("members", views.MembersView.as_view()),
    path("members/<str:member>", views.MemberView.as_view()),
    path("invitations", views.InvitationsView.as_view()),
    path("invitations/<str:invitation>", views.InvitationView.as_view()),
    path("api_keys", views.ApiKeysView.as_view()),
    path("api_keys/<str:api_key>", views.ApiKeyView.as_view()),
    path("audit_entries", views.AuditEntriesView.as_view()),
]
