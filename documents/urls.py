"""The addresses of the API that belong to batches and documents."""

from django.urls import path, re_path

from documents import views

UUID = r"(?P<{}>[0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}})"
BATCH, DOCUMENT = UUID.format("batch_id"), UUID.format("document_id")

urlpatterns = [
    path("batches", views.BatchListView.as_view()),
    path("batches/<uuid:batch_id>", views.BatchView.as_view()),
    path("batches/<uuid:batch_id>/events", views.BatchEventsView.as_view()),
    path("batches/<uuid:batch_id>/preflight", views.PreflightView.as_view()),
    path("batches/<uuid:batch_id>/uploads", views.UploadsView.as_view()),
    path("batches/<uuid:batch_id>/complete", views.CompleteView.as_view()),
    re_path(rf"^batches/{BATCH}/(?P<action>cancel|resume|retry)$", views.BatchActionView.as_view()),
    path("documents", views.DocumentListView.as_view()),
    path("documents/<uuid:document_id>", views.DocumentView.as_view()),
    path("documents/<uuid:document_id>/download", views.DownloadView.as_view()),
    path("documents/<uuid:document_id>/thumbnail", views.ThumbnailView.as_view()),
    path("documents/<uuid:document_id>/image", views.ImageView.as_view()),
    re_path(
        rf"^documents/{DOCUMENT}/(?P<action>cancel|retry|reprocess)$",
        views.DocumentActionView.as_view(),
    ),
]
