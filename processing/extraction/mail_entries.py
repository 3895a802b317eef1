"""What is attached to a mail, as the entries of an archive."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

from documents.errors import CorruptError, EmptyDocumentError, EncryptedError
from processing.extraction import media_types, mime
from processing.extraction.entries import Budget, Counted, Entry, MemberError, Readable
from processing.extraction.limits import check_text_bytes
from processing.extraction.mime import Attachment
from processing.extraction.outlook import Letter


def entries(path: Path, media_type: str, budget: Budget) -> Iterator[Entry]:
    """Yield what is attached in its order; pictures that only decorate are marked."""
    for number, attachment in enumerate(attachments(path, media_type)):
        budget.count(number + 1)
        yield Entry(
            number,
            attachment.name,
            partial(_open, attachment, budget),
            is_decoration=attachment.is_letterhead,
        )


def attachments(path: Path, media_type: str) -> Iterator[Attachment]:
    """Yield what is attached to the mail at `path`."""
    if media_type == media_types.MSG:
        return Letter.load(path).attachments()
    check_text_bytes(path.stat().st_size)
    return mime.attachments(mime.parse(path.read_bytes()))


@contextmanager
def _open(attachment: Attachment, budget: Budget) -> Iterator[Readable]:
    try:
        content = attachment.read()
    except (EncryptedError, EmptyDocumentError, CorruptError) as exc:
        raise MemberError(exc.detail) from exc
    yield Counted(BytesIO(content), budget)
