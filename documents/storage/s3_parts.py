"""Objects of an S3 bucket that arrive, or are copied, in parts.

What stores differ in is not relied on: the entity tag of the whole is asked for again, parts
are given in order, and whatever a completed upload answers, the object itself is looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from documents.errors import (
    AlreadyStoredError,
    ConflictError,
    ObjectMissingError,
    SluiceError,
)
from documents.storage.interface import INCOMING_PREFIX, Multipart, Part
from documents.storage.s3_client import s3_errors

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

# All parts but the last have at least this.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MIN_PART_BYTES = 5 * 1024**2
# One request copies so much; what is larger is copied in ranges.
MAX_COPY_BYTES = 5 * 1024**3
COPY_RANGE_BYTES = 512 * 1024**2
PAGE_PARTS = 1000


def list_parts(client: "S3Client", bucket: str, upload: Multipart) -> list[Part]:
    """Return every part of an upload, or raise ObjectMissingError."""
    pages = client.get_paginator("list_parts").paginate(
        Bucket=bucket,
        Key=upload.key,
        UploadId=upload.id,
        PaginationConfig={"PageSize": PAGE_PARTS},
    )
    with s3_errors():
        return [
            Part(part["PartNumber"], part["Size"], part["ETag"].strip('"'))
            for page in pages
            for part in page.get("Parts", [])
        ]


def complete(
    client: "S3Client", bucket: str, upload: Multipart, parts: Sequence[Part], *, once: bool
) -> None:
    """Have the store put the parts together; `once`: only where the key is not taken."""
    if [(part.number, part.size) for part in parts] != [
        (number, upload.length(number)) for number in range(1, upload.part_count + 1)
    ]:
        raise ObjectMissingError
    condition: Any = {"IfNoneMatch": "*"} if once else {}
    tags = _tags([(part.number, part.etag) for part in parts])
    try:
        with s3_errors():
            client.complete_multipart_upload(
                Bucket=bucket, Key=upload.key, UploadId=upload.id, MultipartUpload=tags, **condition
            )
    except ConflictError as error:
        if isinstance(error, ObjectMissingError):
            raise
        # Another part than was listed, or an object under the key.
        raise _what_conflicts(client, bucket, upload) from error


def abort(client: "S3Client", bucket: str, key: str, upload_id: str) -> None:
    """Have the store forget the parts; safe to repeat."""
    try:
        with s3_errors():
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except ObjectMissingError:
        return


def given_up(client: "S3Client", bucket: str, before: datetime) -> Iterator[Multipart]:
    """Yield the uploads of incoming keys to which nothing came since then; sizes are unknown."""
    pages = client.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Prefix=INCOMING_PREFIX
    )
    with s3_errors():
        found = [
            Multipart(entry["Key"], entry["UploadId"], 0, 1)
            for page in pages
            for entry in page.get("Uploads", [])
            if entry["Initiated"] < before
        ]
    for upload in found:
        if not _has_part_since(client, bucket, upload, before):
            yield upload


def copy_in_ranges(
    client: "S3Client",
    bucket: str,
    source: str,
    target: str,
    *,
    etag: str,
    size: int,
    content_type: str,
    metadata: Mapping[str, str],
) -> None:
    """Copy an object that is too large for one request; nothing is left when that fails."""
    with s3_errors():
        begun = client.create_multipart_upload(
            Bucket=bucket, Key=target, ContentType=content_type, Metadata=metadata
        )
    upload_id = begun["UploadId"]
    try:
        with s3_errors():
            tags = [
                (number, _copy_range(client, bucket, source, (target, upload_id, number), etag, at))
                for number, at in enumerate(_ranges(size), start=1)
            ]
            client.complete_multipart_upload(
                Bucket=bucket, Key=target, UploadId=upload_id, MultipartUpload=_tags(tags)
            )
    except SluiceError:
        abort(client, bucket, target, upload_id)
        raise


def _ranges(size: int) -> Iterator[range]:
    for start in range(0, size, COPY_RANGE_BYTES):
        yield range(start, min(start + COPY_RANGE_BYTES, size))


def _copy_range(
    client: "S3Client", bucket: str, source: str, part: tuple[str, str, int], etag: str, at: range
) -> str:
    target, upload_id, number = part
    answer = client.upload_part_copy(
        Bucket=bucket,
        Key=target,
        UploadId=upload_id,
        PartNumber=number,
        CopySource={"Bucket": bucket, "Key": source},
        CopySourceIfMatch=f'"{etag}"',
        CopySourceRange=f"bytes={at.start}-{at.stop - 1}",
    )
    return answer["CopyPartResult"]["ETag"].strip('"')


def _tags(parts: Sequence[tuple[int, str]]) -> Any:
    return {"Parts": [{"PartNumber": number, "ETag": f'"{tag}"'} for number, tag in parts]}


def _what_conflicts(client: "S3Client", bucket: str, upload: Multipart) -> ConflictError:
    try:
        with s3_errors():
            client.head_object(Bucket=bucket, Key=upload.key)
    except ObjectMissingError:
        return ObjectMissingError("A part was replaced meanwhile.")
    return AlreadyStoredError()


def _has_part_since(client: "S3Client", bucket: str, upload: Multipart, before: datetime) -> bool:
    pages = client.get_paginator("list_parts").paginate(
        Bucket=bucket, Key=upload.key, UploadId=upload.id
    )
    try:
        with s3_errors():
            return any(
                part["LastModified"] >= before for page in pages for part in page.get("Parts", [])
            )
    except ObjectMissingError:
        # Completed or aborted since it was listed.
        return True
