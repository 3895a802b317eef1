"""What a sandboxed child is asked to find: plain JSON types in, plain JSON types out."""

import json
import os
from pathlib import Path
from typing import Any

from documents.errors import UnsupportedError
from processing.enrichment import names
from processing.enrichment.finding import find_entities
from processing.extraction.pages import Page

MODEL_VARIABLE = "ENTITY_MODEL"


def find(path: str, language: str, models: list[str], name: str) -> dict[str, Any]:
    """Return the entities of the pages of the document `name` at `path`: [number, text] each."""
    pages = (Page(number, text) for number, text in json.loads(Path(path).read_bytes()))
    return {"entities": [entity.to_json() for entity in find_entities(pages, language, models)]}


def warm_up() -> None:
    """Load all that finding needs; children forked later have it."""
    for model in filter(None, map(str.strip, os.environ.get(MODEL_VARIABLE, "").split(","))):
        try:
            names.load(model)
        except UnsupportedError:
            # Whoever needs it says so; documents can be read meanwhile.
            continue
