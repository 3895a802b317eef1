"""From pages of text to the spans that are embedded and found. Pure functions, no Django."""

from processing.chunking.chunks import ChunkSpan, chunk

__all__ = ["ChunkSpan", "chunk"]
