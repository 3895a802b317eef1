"""Make the parser libraries work without a connection, and without asking for one.

`unstructured` fetches a spaCy model from GitHub into site-packages at its first
call, and reports its use. Neither happens after `prepare`.
"""

import os
from functools import cache

_ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "SCARF_NO_ANALYTICS": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}


@cache
def prepare() -> None:
    """Silence telemetry and give `unstructured` a sentence splitter that is already here.

    To be called before the first import of `unstructured`. Its model would only be
    asked for parts of speech, which tell titles from narrative in text without mark-up;
    headings are taken from mark-up here.
    """
    os.environ.update(_ENVIRONMENT)
    import spacy
    from unstructured.nlp import tokenize

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    tokenize._get_nlp = cache(lambda: pipeline)
