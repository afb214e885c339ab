"""Objects in a bucket, or whatever else fsspec has a file system for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ingest.parse import SUPPORTED
from ingest.sources.content import temporary, too_large
from ingest.sources.protocol import Item, Vanished
from rag.errors import ConfigError, DocumentError, InputError, MissingExtra
from rag.settings import redact_url

EXTRAS: Mapping[str, str] = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
}
PIECE_BYTES = 1_000_000
ERROR_CHARS = 300
T = TypeVar("T")


class Objects:
    """The objects below a prefix, or one object; hidden ones are left out.

    Credentials come from the environment, as the libraries of the providers have it.
    """

    def __init__(self, place: str) -> None:
        """`place` is 'protocol://bucket/prefix'; raises ConfigError, MissingExtra for a package that is not there."""
        self._place = place.rstrip("/")
        self.name = _without_secrets(self._place)
        self._files, root = _file_system(self._place, self.name)
        self._root = root.rstrip("/")
        self._ignored: Counter[str] = Counter()

    def items(self) -> Iterator[Item]:
        """The objects below the prefix, folder by folder."""
        self._ignored = Counter()
        self._files.invalidate_cache()
        facts = self._asked(self._facts)
        if facts["type"] == "file":
            yield self._item(self._root, facts)
            return
        for path, entry in self._below(self._root):
            if _ending(path) in SUPPORTED:
                yield self._item(path, entry)
            else:
                self._ignored[_ending(path) or "no ending"] += 1

    def places(self) -> tuple[str, ...]:
        """The place itself."""
        return (self.name,)

    def covers(self, uri: str) -> bool:
        """Whether a document of this name lies below the prefix."""
        return uri == self.name or uri.startswith(f"{self.name}/")

    def ignored(self) -> Mapping[str, int]:
        """The objects of kinds that can't be read, by their ending."""
        return self._ignored

    def _below(self, folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        # The walk() and find() of fsspec leave out a folder that fails, which would look as if its documents had
        # vanished.
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            listed = self._asked(partial(self._files.ls, here, detail=True))
            entries = {str(entry["name"]).rstrip("/"): entry for entry in listed}
            inside = sorted(path for path in entries if path.startswith(f"{here}/") and not _is_hidden(path))
            yield from ((path, entries[path]) for path in inside if entries[path]["type"] == "file")
            waiting += [path for path in reversed(inside) if entries[path]["type"] == "directory"]

    def _facts(self) -> Mapping[str, Any]:
        try:
            return dict(self._files.info(self._root))
        except FileNotFoundError:
            raise Vanished(f"{self.name} is not there", expected="a prefix with objects", remedy="check it") from None

    def _item(self, path: str, entry: Mapping[str, Any]) -> Item:
        uri = self.name + path[len(self._root) :]
        fetch = partial(self._download, path, uri, entry.get("size"))
        return Item(uri=uri, source=self.name, suffix=_ending(path), fetch=fetch)

    @contextmanager
    def _download(self, path: str, uri: str, size: int | None, max_bytes: int) -> Iterator[Path]:
        if size is not None and size > max_bytes:
            raise too_large(uri, max_bytes, size=size)
        name = PurePosixPath(path)
        with temporary(name.stem, name.suffix.lower(), self._pieces(path, uri, max_bytes)) as file:
            yield file

    def _pieces(self, path: str, uri: str, max_bytes: int) -> Iterator[bytes]:
        try:
            with self._files.open(path, "rb") as remote:
                read = 0
                while piece := remote.read(PIECE_BYTES):
                    read += len(piece)
                    if read > max_bytes:
                        raise too_large(uri, max_bytes)
                    yield piece
        except DocumentError:
            raise
        except FileNotFoundError:
            raise Vanished(f"{uri} is gone") from None
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            raise DocumentError(
                f"can't read {uri}: {self._told(error)}", remedy="check the credentials, or try again later"
            ) from None

    def _asked(self, call: Callable[[], T]) -> T:
        """The answer of the file system, its errors translated."""
        try:
            return call()
        except Vanished:
            raise
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            raise InputError(
                f"can't list {self.name}: {self._told(error)}",
                expected="a prefix that may be listed",
                remedy="check the address and the credentials",
            ) from None

    def _told(self, error: Exception) -> str:
        text = f"{type(error).__name__}: {error}".replace(self._place, self.name)
        return redact_url(text)[:ERROR_CHARS]


def _file_system(place: str, name: str) -> tuple[Any, str]:
    import fsspec

    protocol = place.partition("://")[0]
    if "::" in place:
        raise ConfigError(f"{name} is a chain of places", expected="one place", remedy="name the innermost one")
    try:
        files, root = fsspec.core.url_to_fs(place)
    except ImportError as error:
        raise _missing(protocol, error) from None
    except Exception as error:  # noqa: BLE001 - foreign code may raise anything
        raise ConfigError(
            f"{name} can't be opened: {redact_url(str(error).replace(place, name))[:ERROR_CHARS]}",
            expected="https://, s3://, gs://, az://, another file system of fsspec, or a path",
            remedy="check the address and the credentials",
        ) from None
    return files, str(root)


def _missing(protocol: str, error: ImportError) -> MissingExtra:
    if protocol not in EXTRAS:
        return MissingExtra(f"no package for {protocol}:// places: {error}", remedy="install it with pip")
    extra = EXTRAS[protocol]
    return MissingExtra(
        f"no package for {protocol}:// places",
        expected=f"the extra '{extra}'",
        remedy=f"pip install 'plumbline-rag[{extra}]'",
    )


def _without_secrets(place: str) -> str:
    """A place without a password; what stands before an @ without one is part of the name, as Azure has it."""
    protocol, _, rest = place.partition("://")
    authority, slash, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    return f"{protocol}://{host if ':' in user else authority}{slash}{redact_url(path)}"


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _is_hidden(path: str) -> bool:
    return PurePosixPath(path).name.startswith(".")
