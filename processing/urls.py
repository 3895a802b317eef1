"""The addresses of the API that belong to processing."""

from django.urls import path

from processing import views

urlpatterns = [
    path("documents/<uuid:document_id>/text", views.TextView.as_view()),
    path("documents/<uuid:document_id>/pages/<int:n>", views.PageImageView.as_view()),
    path("documents/<uuid:document_id>/entities", views.EntitiesView.as_view()),
    path("jobs/<uuid:job_id>", views.JobView.as_view()),
    path("search", views.SearchView.as_view()),
    path("stats", views.StatsView.as_view()),
]
