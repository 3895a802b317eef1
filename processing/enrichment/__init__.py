"""From text to what is mentioned in it: addresses, numbers, days, amounts, names.

Knows no Django: it runs in the sandbox, where a text made to be slow ends with its child.
"""

from processing.enrichment.entities import MAX_CHARACTERS, Entity, Place
from processing.enrichment.mentions import Kind

__all__ = ["MAX_CHARACTERS", "Entity", "Kind", "Place"]
