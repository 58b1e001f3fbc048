from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import health

handler404 = "config.api_errors.not_found"
handler500 = "config.api_errors.server_error"

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
    path("api/v1/", include("accounts.urls")),
    path("api/v1/", include("metering.urls")),
    path("api/v1/", include("budgets.urls")),
    path("api/v1/", include("privacy.urls")),
    path("api/v1/", include("billing.urls")),
    path("api/v1/", include("notifications.urls")),
    path("api/v1/", include("collection.urls")),
    path("api/v1/", include("exports.urls")),
    path("api/v1/", include("agents.urls")),
    path("api/v1/", include("inference.api.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("v1/", include("metering.otlp.urls")),
    path("v1/", include("inference.urls")),
    path("portal/", include("console.portal.urls")),
    path("", include("collection.webhook_urls")),
    path("pay/", include("console.paying.urls")),
    path("", include("console.urls")),
]
