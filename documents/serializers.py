"""What the API takes and gives, in the words of the contract."""

from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from rest_framework import serializers

from documents import derived, selectors
from documents.errors import kind_of
from documents.models import Batch, Document
from documents.services.multipart import GivenPart, SignedParts
from documents.services.uploads import Declaration, Upload
from documents.states import Status
from documents.storage.interface import MAX_PARTS, PresignedPut


class BatchInput(serializers.Serializer[Any]):
    """A new batch."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    lane = serializers.ChoiceField(Batch.Lane.choices, required=False, default=Batch.Lane.AUTO)
    expected_documents = serializers.IntegerField(
        min_value=0, max_value=10_000_000, required=False, allow_null=True, default=None
    )


class DeclarationInput(serializers.Serializer[Declaration]):
    """One document of a window: types and lengths here, the rules in the service."""

    client_key = serializers.CharField(max_length=1100, trim_whitespace=False)
    # Any length and any character: the path rules answer with their own sentence.
    path = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=10_000)
    size = serializers.IntegerField(min_value=0, max_value=2**62)
    sha256 = serializers.RegexField(r"\A[0-9a-f]{64}\Z", required=False, default="")
    content_type = serializers.RegexField(
        # ASCII only, as in the headers that it will stand in.
        r"(?a)\A[\w.+-]{1,90}/[\w.+-]{1,90}\Z",
        required=False,
        default="",
        allow_blank=True,
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Let a NUL through to the path rules, which name it."""
        fields = super().get_fields()
        fields["path"].validators = [
            validator
            for validator in fields["path"].validators
            if type(validator).__name__ != "ProhibitNullCharactersValidator"
        ]
        return fields


class DeclarationsInput(serializers.Serializer[Any]):
    documents = DeclarationInput(many=True)
    sign = serializers.BooleanField(required=False, default=True)


class GivenPartInput(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1, max_value=MAX_PARTS)
    etag = serializers.CharField(max_length=200)


class ArrivalInput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    parts = GivenPartInput(many=True, required=False)


class ArrivalsInput(serializers.Serializer[Any]):
    documents = ArrivalInput(many=True)


class BatchActionInput(serializers.Serializer[Any]):
    """Which documents to act on; without the list all of the batch."""

    documents = serializers.ListField(child=serializers.UUIDField(), required=False)


class PreflightItemInput(serializers.Serializer[Any]):
    path = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=10_000)
    size = serializers.IntegerField(min_value=0, max_value=2**62)
    sha256 = serializers.RegexField(r"\A[0-9a-f]{64}\Z", required=False, default="")


class PreflightInput(serializers.Serializer[Any]):
    documents = PreflightItemInput(many=True)


def declarations(data: list[dict[str, Any]]) -> list[Declaration]:
    """Return validated data as what the service takes."""
    return [Declaration(**item) for item in data]


def given_parts(data: list[dict[str, Any]]) -> dict[UUID, list[GivenPart]]:
    """Return the parts that were named, by document."""
    return {
        item["id"]: [GivenPart(**part) for part in item["parts"]]
        for item in data
        if "parts" in item
    }


def batch_json(batches: list[Batch]) -> list[dict[str, Any]]:
    """Return Batch objects of the API; one query for the progress of all."""
    progress = selectors.progress_of([batch.id for batch in batches])
    return [
        {
            "id": str(batch.id),
            "name": batch.name,
            "lane": batch.lane,
            "created_at": instant(batch.created_at),
            "cancelled_at": instant(batch.cancelled_at),
            "progress": progress[batch.id],
        }
        for batch in batches
    ]


def upload_json(upload: Upload) -> dict[str, Any]:
    """Return an Upload object of the API."""
    document = upload.document
    return {
        "client_key": document.client_key,
        "id": str(document.id),
        "status": document.status,
        "duplicate_of": _id(document.duplicate_of_id),
        "upload": _target(upload),
    }


def _target(upload: Upload) -> dict[str, Any] | None:
    """Return where the bytes are awaited: one address, or one for each of the next parts."""
    if upload.parts is not None:
        return {"multipart": parts_json(upload.parts)}
    return put_json(upload.put) if upload.put else None


def parts_json(signed: SignedParts) -> dict[str, Any]:
    """Return where to send the next missing parts, and which are there."""
    return {
        "part_size": signed.part_size,
        "parts": [
            {"number": number, "url": put.url, "headers": dict(put.headers)}
            for number, put in signed.parts.items()
        ],
        "done": list(signed.done),
        "expires_at": instant(signed.expires_at),
    }


def put_json(put: PresignedPut) -> dict[str, Any]:
    """Return where and how to send the bytes."""
    return {
        "method": put.method,
        "url": put.url,
        "headers": dict(put.headers),
        "expires_at": instant(put.expires_at),
    }


def document_json(documents: list[Document]) -> list[dict[str, Any]]:
    """Return Document objects of the API, stages included; queries do not grow with the list."""
    prefetch_related_objects(documents, "duplicate_of")
    stages = selectors.stages_of(
        [document.duplicate_of_id or document.id for document in documents]
    )
    return [
        _document(document, stages.get(document.duplicate_of_id or document.id, []))
        for document in documents
    ]


def detail_json(document: Document) -> dict[str, Any]:
    """Return one Document object with how many documents were in it."""
    return document_json([document])[0] | {"children": selectors.children_of(document).count()}


def _document(document: Document, stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": str(document.id),
        "batch": str(document.batch_id),
        "path": document.path,
        "folder": document.folder,
        "name": document.name,
        "size": document.size,
        "content_type": document.content_type or document.declared_type,
        "sha256": document.sha256 or document.declared_sha256,
        "status": document.status,
        "duplicate_of": _id(document.duplicate_of_id),
        "parent": _id(document.parent_id),
        "processed_at": instant(document.processed_at),
        "embedded_at": instant(document.embedded_at),
        "pages": document.pages,
        "notice": document.metadata.get("notice", ""),
        "thumbnail": derived.thumbnail_json(document),
        "error": _error(document),
        "stages": stages,
        "created_at": instant(document.created_at),
    }


def _error(document: Document) -> dict[str, Any] | None:
    if not document.error_code or document.status == Status.READY:
        return None
    return {
        "code": document.error_code,
        "kind": kind_of(document.error_code),
        "detail": document.error_detail,
        "stage": document.error_stage,
        "retry_at": instant(document.retry_at),
    }


def instant(moment: Any) -> str | None:
    """Return a time as RFC 3339 in UTC."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _id(value: Any) -> str | None:
    return str(value) if value else None
