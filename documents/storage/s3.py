"""Objects in a bucket of an S3-compatible store, such as AWS S3, Ceph or Swift.

Clients PUT to the store themselves, by URLs that name one incoming key and are signed
for one length and one type. What more a URL enforces depends on the store:

    S3_SIGN_CHECKSUM       the SHA-256 too: other bytes are refused where they arrive
    S3_SIGN_IF_NONE_MATCH  `If-None-Match: *`: a key is written once

A store must not be told to check what it does not know, and some accept the headers
and ignore them. So neither is relied on: *verify* hashes what arrived, and promotes it
by a server-side copy, conditional on the ETag it verified, to a key that no URL was
ever signed for writing. The ETag of the copy is compared again, since Ceph ignores the
condition. Nothing reads an incoming key after that.

Where writing once is enforced, deleting or promoting an incoming object leaves a
*tombstone*: an empty object, marked in its metadata, that keeps the key taken until no
URL for it can be valid. Where it is not, the key is simply deleted, and a late PUT by a
URL that is still valid leaves bytes that nobody reads.
"""

import base64
import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from documents.errors import (
    AlreadyStoredError,
    ConflictError,
    ObjectMissingError,
    StorageError,
)
from documents.storage import s3_parts
from documents.storage.headers import INLINE_CACHE, content_disposition
from documents.storage.interface import (
    INCOMING_PREFIX,
    MAX_URL_SECONDS,
    Multipart,
    ObjectStat,
    Part,
    PresignedPut,
    check_content_type,
    check_key,
    check_multipart,
    check_part,
    check_promotion,
    check_put,
    check_url_life,
)
from documents.storage.s3_client import S3Options, connect, s3_errors
from documents.storage.s3_objects import (
    PROMOTED_FROM,
    TOMBSTONE,
    Found,
    ObjectReader,
    described,
    stat_of,
)

PIECE_BYTES = 1024 * 1024
# No URL lives longer than a day, and no upload that began in time takes another one.
TOMBSTONE_SECONDS = MAX_URL_SECONDS + 24 * 60 * 60
# The most that S3 gives at once.
PAGE_KEYS = 1000
EMPTY_TYPE = "application/octet-stream"


class S3Storage:
    """The storage port over one bucket; any number of threads and processes may share it."""

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._client, self._signer = connect(options, options.endpoint_url)
        if options.public_endpoint_url:
            # The name that browsers use is part of what is signed.
            _, self._signer = connect(options, options.public_endpoint_url)

    def presign_put(
        self, key: str, *, size: int, content_type: str, sha256: str | None, expires_seconds: int
    ) -> PresignedPut:
        """Sign an absolute URL for one key, length and type, and what else the store enforces."""
        check_put(
            key,
            size=size,
            content_type=content_type,
            sha256=sha256,
            expires_seconds=expires_seconds,
        )
        headers = {"Content-Type": content_type}
        if sha256 is not None and self._options.sign_checksum:
            digest = base64.b64encode(bytes.fromhex(sha256)).decode("ascii")
            headers["x-amz-checksum-sha256"] = digest
        if self._options.sign_if_none_match:
            headers["If-None-Match"] = "*"
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=expires_seconds)
        url = self._signer.sign(
            "PUT",
            key,
            # Signed, but not for the client to set: its length is that of the body it sends.
            headers={**headers, "Content-Length": str(size)},
            query={},
            expires_seconds=expires_seconds,
        )
        return PresignedPut(method="PUT", url=url, headers=headers, expires_at=expires_at)

    def begin_multipart(
        self, key: str, *, size: int, part_size: int, content_type: str
    ) -> Multipart:
        """Begin an upload in the store; parts are at least as large as S3 wants them."""
        part_size = max(part_size, s3_parts.MIN_PART_BYTES)
        check_multipart(key, size=size, part_size=part_size, content_type=content_type)
        with s3_errors():
            begun = self._client.create_multipart_upload(
                Bucket=self._options.bucket, Key=key, ContentType=content_type
            )
        return Multipart(key, begun["UploadId"], size, part_size)

    def presign_part(self, upload: Multipart, number: int, *, expires_seconds: int) -> PresignedPut:
        """Sign an absolute URL for one part, of one upload and one length."""
        check_part(upload, number, expires_seconds)
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=expires_seconds)
        url = self._signer.sign(
            "PUT",
            upload.key,
            headers={"Content-Length": str(upload.length(number))},
            query={"partNumber": str(number), "uploadId": upload.id},
            expires_seconds=expires_seconds,
        )
        return PresignedPut(method="PUT", url=url, headers={}, expires_at=expires_at)

    def list_parts(self, upload: Multipart) -> list[Part]:
        """Return the parts that the store has."""
        return s3_parts.list_parts(self._client, self._options.bucket, upload)

    def complete_multipart(self, upload: Multipart, parts: Sequence[Part]) -> None:
        """Have the store make one object of the parts, once where that is enforced."""
        once = self._options.sign_if_none_match
        try:
            s3_parts.complete(self._client, self._options.bucket, upload, parts, once=once)
        except ObjectMissingError:
            if len(parts) != upload.part_count or self.stat(upload.key) is None:
                raise

    def abort_multipart(self, upload: Multipart) -> None:
        """Have the store forget the parts."""
        s3_parts.abort(self._client, self._options.bucket, upload.key, upload.id)

    def presign_get(
        self,
        key: str,
        *,
        filename: str,
        content_type: str,
        expires_seconds: int,
        inline: bool = False,
    ) -> str:
        """Sign an absolute URL that reads the object under this name and type."""
        check_key(key)
        check_content_type(content_type)
        check_url_life(expires_seconds)
        disposition = content_disposition(filename, content_type, inline=inline)
        return self._signer.sign(
            "GET",
            key,
            headers={},
            query={
                "response-content-type": content_type,
                "response-content-disposition": disposition,
                **({"response-cache-control": INLINE_CACHE} if inline else {}),
            },
            expires_seconds=expires_seconds,
        )

    def stat(self, key: str) -> ObjectStat | None:
        """Describe the object, or None if there is none."""
        found = self._find(check_key(key))
        return None if found is None else found.stat

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Read the object as a stream; a seek asks the store again from there."""
        reader = ObjectReader(self._client, self._options.bucket, check_key(key))
        with io.BufferedReader(reader, PIECE_BYTES) as stream:
            # typeshed's BufferedReader is no BinaryIO, though it has all of it.
            yield cast(BinaryIO, stream)

    @contextmanager
    def as_file(self, key: str) -> Iterator[Path]:
        """Give a copy of the object in a temporary file, removed when the context ends."""
        with tempfile.NamedTemporaryFile(prefix="sluice-") as copy:
            with self.open(key) as stream:
                shutil.copyfileobj(stream, copy, PIECE_BYTES)
            copy.flush()
            yield Path(copy.name)

    def put(self, key: str, content: bytes | BinaryIO, content_type: str) -> ObjectStat:
        """Store the content, replacing what was there; the store checks its hash."""
        check_key(key)
        check_content_type(content_type)
        if isinstance(content, bytes):
            return self._put(key, io.BytesIO(content), content_type)
        with tempfile.TemporaryFile() as whole:
            # Its length and hash go ahead of it, and a stream that fails has then sent nothing.
            shutil.copyfileobj(content, whole, PIECE_BYTES)
            whole.seek(0)
            return self._put(key, cast(BinaryIO, whole), content_type)

    def promote(self, source: str, target: str, *, if_etag: str) -> None:
        """Copy the verified object to its final key inside the store, then bury the source."""
        check_promotion(source, target)
        # Both as a reader gets them: by an old HEAD of the target the source would be buried.
        incoming, final = self._look(source), self._look(target)
        if incoming is None:
            if final is None or not final.came_from(if_etag):
                raise ObjectMissingError
        elif incoming.stat.etag != if_etag:
            raise ConflictError("The uploaded bytes changed while they were checked.")
        elif final is None:
            self._copy(source, target, incoming)
        elif not final.came_from(if_etag) and self._hash(source) != self._hash(target):
            raise AlreadyStoredError
        self.delete(source)

    def delete(self, key: str) -> None:
        """Remove the object if it is there; keep an incoming key taken where that is enforced."""
        check_key(key)
        with s3_errors():
            if key.startswith(INCOMING_PREFIX) and self._options.sign_if_none_match:
                self._client.put_object(
                    Bucket=self._options.bucket,
                    Key=key,
                    Body=b"",
                    ContentType=EMPTY_TYPE,
                    Metadata={TOMBSTONE: "1"},
                )
            else:
                self._client.delete_object(Bucket=self._options.bucket, Key=key)

    def list(self, prefix: str) -> Iterator[tuple[str, ObjectStat]]:
        """Yield every object whose key starts with the prefix, in pages of a thousand."""
        for key, stat in self._list(prefix):
            if not self._is_tombstone(key, stat):
                yield key, stat

    def sweep(self) -> int:
        """Remove tombstones once no URL can write their keys, and parts of idle uploads."""
        spent_before = datetime.now(UTC) - timedelta(seconds=TOMBSTONE_SECONDS)
        removed = 0
        for key, stat in self._list(INCOMING_PREFIX):
            if stat.modified_at < spent_before and self._is_tombstone(key, stat):
                with s3_errors():
                    self._client.delete_object(Bucket=self._options.bucket, Key=key)
                removed += 1
        idle_since = datetime.now(UTC) - timedelta(seconds=MAX_URL_SECONDS)
        for upload in s3_parts.given_up(self._client, self._options.bucket, idle_since):
            self.abort_multipart(upload)
            removed += 1
        return removed

    def _find(self, key: str) -> Found | None:
        """Return what HEAD says; that there is nothing, only if GET says so too.

        What is missing ends a document for good, and a HEAD can be answered by a
        replica or a cache that has not heard of the object yet.
        """
        try:
            with s3_errors():
                answer = self._client.head_object(Bucket=self._options.bucket, Key=key)
        except ObjectMissingError:
            return self._look(key)
        found = described(answer)
        return None if found.is_tombstone else found

    def _look(self, key: str) -> Found | None:
        """Return what the head of a GET says, which is what a reader would get."""
        try:
            with ObjectReader(self._client, self._options.bucket, key) as reader:
                return reader.found
        except ObjectMissingError:
            return None

    def _put(self, key: str, body: BinaryIO, content_type: str) -> ObjectStat:
        size = body.seek(0, io.SEEK_END)
        body.seek(0)
        with s3_errors():
            answer = self._client.put_object(
                Bucket=self._options.bucket,
                Key=key,
                Body=body,
                ContentLength=size,
                ContentType=content_type,
            )
        stat = self.stat(key)
        if stat is None or (stat.size, stat.etag) != (size, answer["ETag"].strip('"')):
            raise StorageError(f"Storage does not show the {size} bytes it was given.")
        return stat

    def _copy(self, source: str, target: str, incoming: Found) -> None:
        """Copy provided the source has this tag, also where the store ignores the condition."""
        etag = incoming.stat.etag
        try:
            if incoming.stat.size > s3_parts.MAX_COPY_BYTES:
                self._copy_in_ranges(source, target, incoming)
                copied = ""
            else:
                copied = self._copy_at_once(source, target, incoming)
        except (ConflictError, ObjectMissingError) as error:
            # It was there as it should be a moment ago: the next attempt sees what it is now.
            raise StorageError("An object changed while it was promoted.") from error
        if copied == etag:
            return
        # Either this store gives each copy a tag of its own, or it copied something else.
        unchanged = self._look(source)
        if unchanged is None or unchanged.stat.etag != etag:
            self.delete(target)
            raise StorageError("An object changed while it was promoted.")

    def _copy_at_once(self, source: str, target: str, incoming: Found) -> str:
        with s3_errors():
            answer = self._client.copy_object(
                Bucket=self._options.bucket,
                Key=target,
                CopySource={"Bucket": self._options.bucket, "Key": source},
                CopySourceIfMatch=f'"{incoming.stat.etag}"',
                MetadataDirective="REPLACE",
                ContentType=incoming.content_type,
                Metadata={PROMOTED_FROM: incoming.stat.etag},
            )
        return answer["CopyObjectResult"]["ETag"].strip('"')

    def _copy_in_ranges(self, source: str, target: str, incoming: Found) -> None:
        s3_parts.copy_in_ranges(
            self._client,
            self._options.bucket,
            source,
            target,
            etag=incoming.stat.etag,
            size=incoming.stat.size,
            content_type=incoming.content_type,
            metadata={PROMOTED_FROM: incoming.stat.etag},
        )

    def _hash(self, key: str) -> bytes:
        with self.as_file(key) as path, path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    def _list(self, prefix: str) -> Iterator[tuple[str, ObjectStat]]:
        pages = iter(
            self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._options.bucket,
                Prefix=prefix,
                PaginationConfig={"PageSize": PAGE_KEYS},
            )
        )
        while (page := _next_page(pages)) is not None:
            for entry in page.get("Contents", []):
                stat = stat_of(entry["Size"], entry["ETag"], entry["LastModified"])
                yield entry["Key"], stat

    def _is_tombstone(self, key: str, stat: ObjectStat) -> bool:
        # A listing knows no metadata, and only an empty incoming object can be one.
        if stat.size or not key.startswith(INCOMING_PREFIX):
            return False
        return self._find(key) is None


def _next_page(pages: Iterator[Any]) -> Any | None:
    with s3_errors():
        return next(pages, None)


@cache
def bucket(options: S3Options) -> S3Storage:
    """Return the one storage of this process over these options: a client costs 50 ms to make."""
    return S3Storage(options)
