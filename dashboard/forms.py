"""What people type: credentials, questions, and what lists are narrowed to."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.http import QueryDict

from dashboard import presentation

MODES = (("hybrid", "Hybrid"), ("keyword", "Keyword"), ("semantic", "Semantic"))
TYPES = (
    ("pdf", "PDF"),
    ("text", "Text and letters"),
    ("sheet", "Spreadsheets"),
    ("slides", "Slides"),
    ("mail", "Mail"),
    ("web", "Web pages"),
    ("data", "Data"),
    ("book", "Books"),
)
MAX_QUESTION = 500


class SignInForm(AuthenticationForm):
    """The name and password, in our controls."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"


class _GetForm(forms.Form):
    """A form read from an address: what is not valid there is as if it were not said."""

    @classmethod
    def of(cls, given: QueryDict) -> dict[str, Any]:
        return cls(given).said()

    def said(self) -> dict[str, Any]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, and where to look."""

    q: str
    mode: str
    folder: str
    type: str
    batch: UUID | None
    entity: str

    @property
    def entity_value(self) -> str:
        """Return what has to be mentioned, without its kind."""
        return self.entity.partition(":")[2]


class SearchForm(_GetForm):
    """A question and what to narrow it to; every field may be empty."""

    q = forms.CharField(required=False, max_length=MAX_QUESTION)
    mode = forms.ChoiceField(required=False, choices=MODES)
    folder = forms.CharField(required=False, max_length=1024)
    type = forms.ChoiceField(required=False, choices=TYPES)
    batch = forms.UUIDField(required=False)
    entity = forms.CharField(required=False, max_length=600)

    def question(self) -> Question:
        """Return what is asked; hybrid unless another mode is named."""
        said = self.said()
        return Question(**said | {"mode": said["mode"] or "hybrid", "batch": said["batch"] or None})


class ListForm(_GetForm):
    """What a list of documents is narrowed to, and where in it one stands."""

    show = forms.ChoiceField(required=False, choices=[(name, name) for name in presentation.SHOWS])
    folder = forms.CharField(required=False, max_length=1024)
    view = forms.ChoiceField(required=False, choices=(("folders", "Folders"), ("flat", "Flat")))
    cursor = forms.CharField(required=False)


class PageForm(_GetForm):
    """Which page of a document to open, and what to mark in it."""

    page = forms.IntegerField(required=False, min_value=1, max_value=10_000_000)
    q = forms.CharField(required=False, max_length=MAX_QUESTION)

    def said(self) -> dict[str, Any]:
        said = super().said()
        return said | {"page": said["page"] or 1}
