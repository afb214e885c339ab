"""Elements become chunks that fit the embedder's window."""

from ingest.chunk.title import chunk

__all__ = ["chunk"]
