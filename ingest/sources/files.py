"""A file, a folder, or the files of a folder that match a pattern."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from ingest.labels import SUFFIX, beside, is_beside_any
from ingest.parse import SUPPORTED
from ingest.sources.content import too_large
from ingest.sources.pattern import is_pattern, matches, split
from ingest.sources.protocol import Item, Vanished
from rag.errors import DocumentError, InputError

# What begins the names of documents that are no files.
REMOTE = "reader:"
EXPECTED = "a file or folder"
REMEDY = "check the path and its rights"


class Files:
    """Documents on disk: hidden ones, links and whatever is no plain file are left out of folders.

    A document's name is its path from `root`, or its absolute path outside of it.
    """

    def __init__(self, place: str, *, root: Path, max_labels_kb: int) -> None:
        """`place` is a path; with *, ? or [ in it, and no such file, it is a pattern."""
        path = Path(place)
        fixed, self._pattern = split(path) if is_pattern(path) else (path, ())
        self.top = fixed
        self._root = root
        self._max_labels_kb = max_labels_kb
        self._top_uri = source_uri(fixed, root)
        self.name = source_uri(path, root) if self._pattern else self._top_uri
        self._ignored: Counter[str] = Counter()

    def items(self) -> Iterator[Item]:
        """The documents below the place, in order; a file that was named is taken whatever its ending."""
        self._ignored = Counter()
        if self._is_folder():
            yield from self._in_folder()
        elif not self._pattern:
            yield self._item(self.top)

    def places(self) -> tuple[str, ...]:
        """The place itself."""
        return (self.name,)

    def covers(self, uri: str) -> bool:
        """Whether a document of this name lies below the place, and matches its pattern.

        One that is hidden or behind a link does not: it was taken because it was named itself.
        """
        if "://" in uri or uri.startswith(REMOTE):
            return False
        path, top = self._root / uri, self._root / self._top_uri
        if not (path.is_relative_to(top) and self._is_wanted(path.relative_to(top))):
            return False
        below = [path, *path.parents][: len(path.parts) - len(top.parts)]
        return not any(one.name.startswith(".") or one.is_symlink() for one in below)

    def ignored(self) -> Mapping[str, int]:
        """The files of kinds that can't be read, by their ending."""
        return self._ignored

    def _is_folder(self) -> bool:
        try:
            mode = self.top.stat().st_mode
        except FileNotFoundError as error:
            raise Vanished(_unreadable(error, self.top), expected=EXPECTED, remedy=REMEDY) from None
        except (OSError, ValueError) as error:
            raise _refused(error, self.top) from None
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise _refused(ValueError("it is a device, a pipe or a socket"), self.top)
        return stat.S_ISDIR(mode)

    def _in_folder(self) -> Iterator[Item]:
        for file in _walk(self.top):
            if not self._is_wanted(file.relative_to(self.top)):
                continue
            if file.name.lower().endswith(SUFFIX):
                if not is_beside_any(file):
                    self._ignored[f"{SUFFIX} beside no such document"] += 1
            elif file.suffix.lower() in SUPPORTED:
                yield self._item(file)
            else:
                self._ignored[file.suffix.lower() or "no ending"] += 1

    def _is_wanted(self, inside: Path) -> bool:
        return not self._pattern or matches(inside.parts, self._pattern)

    def _item(self, path: Path) -> Item:
        uri = source_uri(path, self._root)
        fetch = partial(_opened, path, uri, follow=path == self.top)
        absolute = _absolute(path)
        # Its labels must not depend on which of the folders above was named: outside of the root, all of them tell.
        top = self._root if absolute.is_relative_to(self._root) else Path(absolute.anchor)
        label = partial(beside, absolute, top, max_kb=self._max_labels_kb)
        return Item(uri=uri, source=self.name, suffix=path.suffix.lower(), fetch=fetch, label=label)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def source_uri(path: Path, root: Path) -> str:
    """The name of a path in the index: relative to the project's folder where it lies below, else absolute."""
    absolute = _absolute(path)
    inside = absolute.relative_to(root) if absolute.is_relative_to(root) else absolute
    # A name on disk may be any bytes; the index takes text.
    return inside.as_posix().encode(errors="backslashreplace").decode()


@contextmanager
def _opened(path: Path, uri: str, max_bytes: int, *, follow: bool) -> Iterator[Path]:
    try:
        state = path.stat(follow_symlinks=follow)
    except FileNotFoundError:
        raise Vanished(f"{uri} is gone") from None
    except OSError as error:
        raise DocumentError(f"can't read {uri}: {error.strerror}", remedy="check its rights") from None
    if not stat.S_ISREG(state.st_mode):
        raise DocumentError(f"{uri} is no plain file", expected="a document")
    if state.st_size > max_bytes:
        raise too_large(uri, max_bytes, size=state.st_size)
    yield path


def _walk(top: Path) -> Iterator[Path]:
    """The files below a folder in order, without hidden ones and links."""
    for folder, folders, names in os.walk(top, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = (Path(folder) / name for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if _is_plain(file))


def _is_plain(file: Path) -> bool:
    # A link may lead anywhere, and reading a pipe waits for ever.
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _refused(error, file) from None


def _refuse(error: OSError) -> NoReturn:
    # Going on without a folder would look as if its documents had vanished, and remove them from the index.
    raise _refused(error, Path(error.filename)) from None


def _refused(error: OSError | ValueError, path: Path) -> InputError:
    return InputError(_unreadable(error, path), expected=EXPECTED, remedy=REMEDY)


def _unreadable(error: OSError | ValueError, path: Path) -> str:
    return f"can't read {path}: {getattr(error, 'strerror', None) or error}"
