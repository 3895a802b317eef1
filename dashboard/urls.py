"""The addresses of the pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path
from django.views.generic import RedirectView

from dashboard import views
from dashboard.forms import SignInForm

UUID = r"(?P<{}>[0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}})"
BATCH, DOCUMENT = UUID.format("batch_id"), UUID.format("document_id")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="upload"), name="home"),
    path(
        "login/",
        LoginView.as_view(authentication_form=SignInForm, redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("upload/", views.upload, name="upload"),
    path("batches/", views.batches, name="batches"),
    path("batches/<uuid:batch_id>/", views.batch, name="batch"),
    re_path(
        rf"^batches/{BATCH}/(?P<action>retry|cancel|resume)/$",
        views.act_on_batch,
        name="act-on-batch",
    ),
    path("search/", views.search, name="search"),
    path("documents/<uuid:document_id>/", views.document, name="document"),
    re_path(
        rf"^documents/{DOCUMENT}/(?P<action>retry|cancel|reprocess)/$",
        views.act_on_document,
        name="act-on-document",
    ),
    path("documents/<uuid:document_id>/delete/", views.delete_document, name="delete-document"),
    path("library/", views.library, name="library"),
]
