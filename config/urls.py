"""Every address: pages, API, admin, health."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from config import docs, health

handler404 = "config.middleware.not_found"
handler500 = "config.middleware.broken"

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("api/v1/", include("documents.urls")),
    path("api/v1/", include("processing.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", docs.ApiDocsView.as_view(), name="api-docs"),
    path("admin/", admin.site.urls),
    path("", include("dashboard.urls")),
]
