"""Read what an image says of itself; what is written in it is recognised afterwards."""

from processing.extraction.pages import Extraction, Page
from processing.extraction.pictures import look_at
from processing.extraction.source import Source


def read(source: Source) -> Extraction:
    """Return an empty page for each of the image's, all of them still to be recognised."""
    picture = look_at(source.path, source.media_type)
    facts = {
        "width": str(picture.width),
        "height": str(picture.height),
        "taken": picture.taken,
        "camera": picture.camera,
    }
    numbers = range(1, picture.pages + 1)
    return Extraction(
        pages=tuple(Page(number, "") for number in numbers),
        title=picture.title,
        metadata={name: value for name, value in facts.items() if value},
        unread=tuple(numbers),
    )
