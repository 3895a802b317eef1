"""Preview: small pictures that show what a document is. Optional.

Reads the final object, in the sandbox, or only the first words where there is nothing to
picture. Writes a thumbnail, and of images a main version, to derived keys of storage; their
sizes and a placeholder to the document. Fails with CorruptError and TooComplexError
(permanent), CrashedError and StorageError (transient).
"""

from dataclasses import dataclass
from pathlib import PurePath

from django.db.models.functions import Left

from documents import faults
from documents.derived import CONTENT_TYPE, VERSION, Derived, key_of
from documents.kinds import kind_of_type
from documents.models import Document
from documents.storage import get_storage
from processing import drawing
from processing.drawing import Drawing
from processing.models import IngestJob, PageText, StageName
from processing.previews import is_pictured
from processing.stage import Held, Stage, Write, one_by_one

# More than a card has room for.
WORDS = 1_500
MAX_LABEL = 8


def run(document: Document, held: Held) -> Write:
    """Draw the document and store the pictures; they may be drawn and stored twice."""
    words = _words(document)
    if is_pictured(document.content_type):
        with get_storage().as_file(document.stored_key) as path:
            drawn = drawing.draw(path, document, words, held)
    else:
        drawn = drawing.draw(None, document, words, held)
    held.check()
    _store(document, drawn)
    return Previewed(drawn)


def _words(document: Document) -> dict[str, str]:
    """Return what a card of the document says."""
    own = {"document_id": document.id, "generation": document.generation}
    first = PageText.objects.filter(**own).order_by("number")
    described = IngestJob.objects.filter(**own).values_list("described__title", flat=True).first()
    suffix = PurePath(document.name).suffix[1:].upper()
    kind = kind_of_type(document.content_type)
    return {
        "title": described or document.title or document.name,
        "text": first.values_list(Left("text", WORDS), flat=True).first() or "",
        "label": suffix if 0 < len(suffix) <= MAX_LABEL else (kind or "").upper(),
    }


def _store(document: Document, drawn: Drawing) -> None:
    storage = get_storage()
    faults.point("preview.before_store")
    storage.put(key_of(document, Derived.THUMBNAIL), drawn.thumbnail.content, CONTENT_TYPE)
    if drawn.image is not None:
        storage.put(key_of(document, Derived.IMAGE), drawn.image.content, CONTENT_TYPE)
    faults.point("preview.after_store")


@dataclass(frozen=True, slots=True)
class Previewed:
    """Write that the pictures are there, and how large they are."""

    drawn: Drawing

    def __call__(self, document: Document) -> bool:
        """Return True: nothing else depends on it."""
        thumbnail, image = self.drawn.thumbnail, self.drawn.image
        Document.objects.filter(id=document.id).update(
            preview_version=VERSION,
            thumbnail_width=thumbnail.width,
            thumbnail_height=thumbnail.height,
            image_width=image.width if image else 0,
            image_height=image.height if image else 0,
            placeholder=self.drawn.placeholder,
        )
        faults.point("preview.before_commit")
        return True


stage = Stage(StageName.PREVIEW, one_by_one(run), after=StageName.EXTRACT, is_required=False)
