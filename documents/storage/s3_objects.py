"""Objects of an S3 bucket as they are found and read.

A store that was cut off in the middle, or that answers with another object than it
began with, is a StorageError: never fewer or other bytes than there are.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from documents.errors import ConflictError, ObjectMissingError, StorageError
from documents.storage.interface import ObjectStat
from documents.storage.s3_client import s3_errors

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3.client import S3Client

# What marks an empty object as the grave of a used incoming key, and where a promoted
# object came from: the ETag of a copy need not be that of its source.
TOMBSTONE = "sluice-removed"
PROMOTED_FROM = "sluice-promoted-from"


@dataclass(frozen=True, slots=True)
class Found:
    """An object as the head of an answer describes it."""

    stat: ObjectStat
    content_type: str
    metadata: Mapping[str, str]

    @property
    def is_tombstone(self) -> bool:
        """Tell whether this only keeps the key taken."""
        return self.stat.size == 0 and TOMBSTONE in self.metadata

    def came_from(self, etag: str) -> bool:
        """Tell whether these are the bytes that had this entity tag when they were verified."""
        return etag in {self.stat.etag, self.metadata.get(PROMOTED_FROM)}


def described(answer: Mapping[str, Any]) -> Found:
    """Read the head of an answer to HEAD or GET."""
    stat = stat_of(answer["ContentLength"], answer["ETag"], answer["LastModified"])
    return Found(stat, answer.get("ContentType", ""), answer.get("Metadata", {}))


def stat_of(size: int, etag: str, modified_at: datetime) -> ObjectStat:
    """Describe an object alike in a listing and by itself: S3 quotes tags, and HEAD knows seconds.

    The hash stays unknown: what a client said it was is no knowledge of the store.
    """
    return ObjectStat(
        size, etag.strip('"'), None, modified_at.astimezone(UTC).replace(microsecond=0)
    )


class ObjectReader(io.RawIOBase):
    """The bytes of one object, seekable by asking again from there on."""

    def __init__(self, client: "S3Client", bucket: str, key: str) -> None:
        super().__init__()
        self._client, self._bucket, self._key = client, bucket, key
        self._position = self._arrived_at = 0
        # Closed as well when the request fails: there is nothing to read then.
        self._body: BinaryIO | StreamingBody = io.BytesIO()
        with s3_errors():
            answer = client.get_object(Bucket=bucket, Key=key)
        self._body = answer["Body"]
        self._etag = answer["ETag"]
        self.found = described(answer)
        if self.found.is_tombstone:
            self.close()
            raise ObjectMissingError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; nothing is asked of the store before the next read."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.found.stat.size}
        self._position = max(start[whence] + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read up to the length of the buffer; 0 only at the end of the object."""
        wanted = min(len(buffer), self.found.stat.size - self._position)
        if wanted <= 0:
            return 0
        if self._arrived_at != self._position:
            self._ask_again()
        with s3_errors():
            piece = self._body.read(wanted)
        if not piece:
            raise StorageError(f"An object ended {wanted} bytes before its end.")
        buffer[: len(piece)] = piece
        self._position += len(piece)
        self._arrived_at = self._position
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()

    def _ask_again(self) -> None:
        self._body.close()
        try:
            with s3_errors():
                answer = self._client.get_object(
                    Bucket=self._bucket,
                    Key=self._key,
                    Range=f"bytes={self._position}-",
                    IfMatch=self._etag,
                )
        except (ConflictError, ObjectMissingError) as error:
            raise StorageError("An object was replaced while it was read.") from error
        self._body = answer["Body"]
        if answer["ContentLength"] != self.found.stat.size - self._position:
            raise StorageError("Storage does not give the part that was asked for.")
        self._arrived_at = self._position
