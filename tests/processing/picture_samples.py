"""Pictures of one colour, and the work that looks at them."""

import io

from PIL import Image

from documents.models import Batch, Document
from processing.models import StageName, StageRun
from processing.pipeline import get_stage
from processing.stage import Held, Write
from tests.processing.lifecycle import arrived, claim, enrich, finish, fresh, learn, read, show

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def png(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def arrived_picture(batch: Batch, content: bytes, path: str) -> Document:
    """Return an image that verify has recognised, to be read next."""
    document = arrived(batch, content, path)
    lease = claim(document, StageName.VERIFY)
    ((_, result),) = list(get_stage(StageName.VERIFY).run([Held(lease)]))
    assert callable(result), result
    finish(lease, result)
    return fresh(document)


def seen(batch: Batch, content: bytes, path: str) -> Document:
    """Return an image that went through every stage, and was looked at if anybody does."""
    document = arrived_picture(batch, content, path)
    go_through(document)
    return fresh(document)


def go_through(document: Document) -> None:
    """Take an image from extract to its end; its text is only its name."""
    read(document, document.name)
    show(document)
    enrich(document)
    learn(document)
    if StageRun.objects.filter(document=document, stage=StageName.LOOK, state="ready").exists():
        look_at(document)


def look_at(document: Document) -> None:
    lease = claim(document, StageName.LOOK)
    result = looked(Held(lease))
    finish(lease, result)


def looked(held: Held) -> Write:
    """Run the stage itself."""
    ((_, result),) = list(get_stage(StageName.LOOK).run([held]))
    assert callable(result), result
    return result
