from django.urls import path

from console.paying import views

urlpatterns = [path("<str:token>", views.pay, name="pay")]
