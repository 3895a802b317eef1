"""Look: from an image to a vector of what it shows. Optional, and of images only.

Reads the final object, in the sandbox, which leaves bare pixels; the model sees those in the
worker. Writes the vector of the document's current generation. Fails with CorruptError and
TooComplexError (permanent), ProviderError, CrashedError and StorageError (transient).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.conf import settings

from documents import faults
from documents.models import Document
from documents.storage import get_storage
from processing import reading
from processing.embeddings.image_embedder import ImageEmbedder, Pixels
from processing.embeddings.registry import get_image_embedder
from processing.extraction import media_types
from processing.models import ImageVector, StageName
from processing.previews.frame import COLOURS
from processing.stage import Held, Stage, Write, one_by_one


def concerns(document: Document) -> bool:
    """Return whether there is anything to look at, and a model that does."""
    return bool(settings.IMAGE_MODEL_PATH) and document.content_type in media_types.IMAGES


def run(document: Document, held: Held) -> Write:
    """Look at the image, unless this model has seen it in an earlier generation."""
    embedder = get_image_embedder()
    if embedder is None:
        # Switched off since the work was set up.
        return _nothing
    vector = _known(document, embedder.model)
    if vector is None:
        pixels = _pixels(document, embedder, held)
        held.check()
        vector = embedder.embed_images([pixels])[0].tolist()
    return Looked(vector, embedder.model)


def _known(document: Document, model: str) -> Sequence[float] | None:
    """Return the vector of the same bytes from the same model: a document's never change."""
    vectors = ImageVector.objects.filter(document=document, model=model)
    return vectors.values_list("embedding", flat=True).first()


def _pixels(document: Document, embedder: ImageEmbedder, held: Held) -> Pixels:
    frame = embedder.frame
    with get_storage().as_file(document.stored_key) as path:
        sample = reading.sampled(path, document, frame, held)
    return np.frombuffer(sample, np.uint8).reshape(frame.height, frame.width, COLOURS)


def _nothing(document: Document) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Looked:
    """Write what the document's image looks like to a model, instead of what was written before."""

    vector: Sequence[float]
    model: str

    def __call__(self, document: Document) -> bool:
        """Return True: nothing else depends on it."""
        ImageVector.objects.update_or_create(
            document_id=document.id,
            generation=document.generation,
            defaults={
                "workspace_id": document.workspace_id,
                "embedding": list(self.vector),
                "model": self.model,
            },
        )
        faults.point("look.before_commit")
        return True


stage = Stage(
    StageName.LOOK, one_by_one(run), after=StageName.EXTRACT, is_required=False, concerns=concerns
)
