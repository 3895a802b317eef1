"""Registered documents, and where to send them, as OpenAPI tells it: a part of `schema`."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from documents.services.multipart import PARTS_AT_ONCE
from documents.states import Status

SIGN = serializers.BooleanField(
    required=False, default=True, help_text="False: list the documents, and send nothing yet."
)


class UploadTarget(serializers.Serializer[Any]):
    """Where and how to send the bytes; `url` may be relative to Sluice's own address."""

    method = serializers.ChoiceField(["PUT"])
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    expires_at = serializers.DateTimeField()


class UploadPart(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=1)
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())


class UploadParts(serializers.Serializer[Any]):
    """Part n holds the bytes from (n-1) * part_size on; the last is what is left."""

    part_size = serializers.IntegerField(min_value=1)
    parts = serializers.ListField(
        child=UploadPart(), max_length=PARTS_AT_ONCE, help_text="The next that are missing."
    )
    done = serializers.ListField(
        child=serializers.IntegerField(), help_text="The numbers of those that are there."
    )
    expires_at = serializers.DateTimeField()


class MultipartTarget(serializers.Serializer[Any]):
    multipart = UploadParts()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="Target",
        serializers=[UploadTarget, MultipartTarget],
        resource_type_field_name=None,
    )
)
class Target(serializers.JSONField):
    """One PUT, or one for each part."""


class Upload(serializers.Serializer[Any]):
    client_key = serializers.CharField()
    id = serializers.UUIDField()
    status = serializers.ChoiceField(Status.choices)
    duplicate_of = serializers.UUIDField(allow_null=True)
    upload = Target(allow_null=True)
