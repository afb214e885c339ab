"""Files and folders named on the command line -> the documents in them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ingest.parse import SUPPORTED
from rag.errors import DocumentError, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A document on disk. `uri` is its path from the project's folder, or absolute outside of it."""

    path: Path
    uri: str
    source: str


def discover(paths: Sequence[Path], *, root: Path, known: Collection[str] = ()) -> list[File]:
    """The documents below `paths`, sorted; hidden files and links are left out, unknown kinds in folders too.

    `known` are the names of the documents in the index. Where some of them lie below a path, it may be empty or gone.
    Raises InputError for any other path that is not there, and when there is neither a document nor a known one.
    """
    found = {file.uri: file for path in paths for file in _below(path, root, known)}
    if not (found or any(_is_known(path, root, known) for path in paths)):
        raise InputError(
            f"no documents in {', '.join(str(path) for path in paths)}",
            expected=f"files ending in {' '.join(sorted(SUPPORTED))}",
            remedy="name a folder that holds some",
        )
    return [found[uri] for uri in sorted(found)]


def ignored(paths: Sequence[Path]) -> dict[str, int]:
    """How many files of the folders are of a kind that can't be read, by their ending; hidden ones and links aside."""
    kinds = Counter(
        file.suffix.lower() or "no ending"
        for path in paths
        for file in _files(path)
        if file.suffix.lower() not in SUPPORTED
    )
    return dict(sorted(kinds.items()))


def lies_below(uri: str, place: str) -> bool:
    """Whether a document of this name is the file called `place`, or lies in the folder called so."""
    return place in (".", uri) or uri.startswith(place.rstrip("/") + "/")


def source_uri(path: Path, root: Path) -> str:
    """The name of a path in the index: relative to the project's folder where it lies below, else absolute."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    inside = absolute.relative_to(root) if absolute.is_relative_to(root) else absolute
    # A name on disk may be any bytes; the index takes text.
    return inside.as_posix().encode(errors="backslashreplace").decode()


def read(path: Path, *, uri: str, max_bytes: int) -> bytes:
    """The bytes of the document `uri`; raises DocumentError when it is too large or can't be read."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise DocumentError(
                f"{uri} has {size / 1e6:,.0f} MB",
                expected=f"at most ingest.max_file_mb = {max_bytes / 1e6:,.0f}",
                remedy="split the file, or raise the limit",
            )
        return path.read_bytes()
    except OSError as error:
        raise DocumentError(f"can't read {uri}: {error.strerror}", remedy="check its rights") from None


def digest(data: bytes) -> str:
    """The content hash of a document's bytes, 16 hex digits."""
    return hashlib.sha256(data).hexdigest()[:16]


def _is_known(path: Path, root: Path, known: Collection[str]) -> bool:
    place = source_uri(path, root)
    return any(lies_below(uri, place) for uri in known)


def _below(path: Path, root: Path, known: Collection[str]) -> Iterator[File]:
    try:
        path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and _is_known(path, root, known):
            return
        raise _unreadable(error, path) from None
    source = source_uri(path, root)
    if path.is_file():
        yield File(path=path, uri=source, source=source)
        return
    for file in _files(path):
        if file.suffix.lower() in SUPPORTED:
            yield File(path=file, uri=source_uri(file, root), source=source)


def _files(path: Path) -> Iterator[Path]:
    """The files below a folder in order, without hidden ones and links; none where `path` is no folder."""
    if not path.is_dir():
        return
    for folder, folders, names in os.walk(path, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(folder) / name for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if _is_plain(file))


def _is_plain(file: Path) -> bool:
    # A link may lead anywhere, and reading a pipe waits for ever.
    return file.is_file() and not file.is_symlink()


def _refuse(error: OSError) -> NoReturn:
    # Going on without a folder would look as if its documents had vanished, and remove them from the index.
    raise _unreadable(error, Path(error.filename)) from None


def _unreadable(error: OSError | ValueError, path: Path) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(
        f"can't read {path}: {reason}", expected="a file or folder", remedy="check the path and its rights"
    )
