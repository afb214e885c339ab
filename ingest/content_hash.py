"""The hash of a document's content: what tells a change."""

from __future__ import annotations

import hashlib
from pathlib import Path

DIGITS = 16


def of_bytes(data: bytes) -> str:
    """16 hex digits of the SHA-256 of the content."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def of_file(path: Path) -> str:
    """As `of_bytes`, without holding the content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
