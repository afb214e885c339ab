"""The bytes of a document, from a file or on their way to a temporary one."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import DocumentError

NAME_CHARS = 80
SUFFIX = re.compile(r"\.\w{1,20}")
LIMIT_NAME = "ingest.max_file_mb"


@contextmanager
def temporary(stem: str, suffix: str, pieces: Iterable[bytes]) -> Iterator[Path]:
    """A file with these bytes and a name like `stem`, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        path = Path(folder) / f"{_plain(stem)}{suffix if SUFFIX.fullmatch(suffix) else ''}"
        try:
            with path.open("wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise DocumentError(
                f"can't write a temporary file: {error.strerror}", remedy="check the space on the disk"
            ) from None
        yield path


def too_large(uri: str, max_bytes: int, *, size: int | None = None, limit: str = LIMIT_NAME) -> DocumentError:
    """The error for a document of more than `max_bytes`; `limit` names the setting."""
    seen = f"{uri} has {size / 1e6:,.0f} MB" if size else f"{uri} has more than {max_bytes / 1e6:,.0f} MB"
    return DocumentError(
        seen, expected=f"at most {limit} = {max_bytes / 1e6:,.0f}", remedy="split the document, or raise the limit"
    )


def read(path: Path, uri: str, max_bytes: int) -> bytes:
    """The bytes of a plain file; raises DocumentError for a larger or another one. `uri` is its name for people."""
    try:
        # Opened before it is looked at, as what the name stands for may change in between; a pipe would wait for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise DocumentError(f"{uri} is no plain file", expected="a document")
            # A read makes room for all that it is asked for.
            data = file.read(min(state.st_size, max_bytes) + 1)
    except OSError as error:
        raise DocumentError(f"can't read {uri}: {error.strerror}", remedy="check its rights") from None
    if len(data) > max_bytes:
        raise too_large(uri, max_bytes)
    return data


def _plain(stem: str) -> str:
    return re.sub(r"[^\w.-]+", "-", stem).strip(".-")[:NAME_CHARS] or "document"
