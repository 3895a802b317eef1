"""The events of a batch as OpenAPI tells them; `events` and the services write them."""

from typing import Any

from drf_spectacular.utils import (
    PolymorphicProxySerializer,
    extend_schema_field,
    inline_serializer,
)
from rest_framework import serializers

from documents.errors import Kind
from documents.states import Status

Serializer = serializers.Serializer[Any]


class Failure(serializers.Serializer[Any]):
    code = serializers.CharField()
    kind = serializers.CharField(help_text=", ".join(Kind))
    detail = serializers.CharField(allow_blank=True)


def _event(name: str, kind: str, **fields: Any) -> Serializer:
    kinds = serializers.ChoiceField([kind])
    return inline_serializer(name, {"seq": serializers.IntegerField(), "kind": kinds, **fields})


def _counts(*names: str) -> dict[str, serializers.IntegerField]:
    return {name: serializers.IntegerField() for name in names}


def _ids() -> serializers.ListField:
    return serializers.ListField(child=serializers.UUIDField())


EVENTS: dict[str, Serializer | type[Serializer]] = {
    "documents": _event(
        "DocumentsEvent",
        "documents",
        **{"from": serializers.ChoiceField(Status.choices, allow_null=True)},
        to=serializers.ChoiceField(Status.choices),
        documents=_ids(),
        # Ids of deleted documents are taken out, and `n` stays.
        **_counts("n", "with_text", "gained_text", "with_vectors", "gained_vectors"),
    ),
    "processed": _event("ProcessedEvent", "processed", documents=_ids(), **_counts("n")),
    "searchable": _event(
        "SearchableEvent", "searchable", documents=_ids(), **_counts("n", "gained_vectors")
    ),
    "deleted": _event(
        "DeletedEvent",
        "deleted",
        **{"from": serializers.ChoiceField(Status.choices)},
        **_counts("n", "with_text", "with_vectors"),
    ),
    "stage": _event(
        "StageEvent",
        "stage",
        document=serializers.UUIDField(allow_null=True, help_text="Null once it is deleted."),
        path=serializers.CharField(allow_blank=True),
        stage=serializers.CharField(),
        state=serializers.CharField(),
        error=Failure(required=False),
    ),
}


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="Event", serializers=EVENTS, resource_type_field_name="kind", many=True
    )
)
class Events(serializers.JSONField):
    """A list of events of every kind."""
