from django.urls import path

from inference.api import views

urlpatterns = [
    path("chat/completions", views.ChatCompletionsView.as_view()),
    path("completions", views.CompletionsView.as_view()),
    path("embeddings", views.EmbeddingsView.as_view()),
    path("models", views.ModelsView.as_view()),
]
