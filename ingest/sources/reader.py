"""Whatever a LlamaIndex reader loads, by import path."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from ingest.labels import Labels, checked, usable
from ingest.sources.content import temporary, too_large
from ingest.sources.protocol import Item
from rag.errors import ConfigError, InputError
from rag.imports import construct, describe
from rag.settings import LlamaIndex, redact_url

PREFIX = "reader:"
# Where readers tell what a document is called, the best place first.
NAME_KEYS = ("url", "source", "file_path", "path", "id", "file_name", "title")
NAME_CHARS = 500
MARKDOWN = re.compile(r"^(#{1,6} \S|```|\|.*\|\s*$|[-*] \[)", re.MULTILINE)


class Loaded:
    """The documents of a LlamaIndex `BaseReader`; their texts are read as Markdown where they look like it."""

    def __init__(self, place: str, *, options: LlamaIndex) -> None:
        """`place` is 'reader:package.module.ClassName'; its arguments are in the settings. Raises ConfigError."""
        self.name = place
        self._path = place.removeprefix(PREFIX)
        self._options = options

    def items(self) -> Iterator[Item]:
        """Every document that the reader loads."""
        counts: Counter[str] = Counter()
        for document in self._documents():
            name = _name(document)
            counts[name] += 1
            # Readers often give a file page by page: all with one name.
            number = f"#{counts[name]}" if counts[name] > 1 else ""
            yield self._item(f"{name}{number}", document)

    def places(self) -> tuple[str, ...]:
        """The place itself."""
        return (self.name,)

    def covers(self, uri: str) -> bool:
        """Whether a document of this name came from this reader."""
        return uri.startswith(f"{self.name}/")

    def ignored(self) -> Mapping[str, int]:
        """Nothing: the reader chooses."""
        return {}

    def _documents(self) -> Iterable[Any]:
        from llama_index.core.readers.base import BaseReader

        reader = construct(self._path, self._options.reader_args, kind=BaseReader, setting="llama_index.reader_args")
        arguments = {**self._options.reader_args, **self._options.load_args}
        try:
            documents = list(reader.load_data(**self._options.load_args))
        except TypeError as error:
            raise ConfigError(
                f"{self._path}.load_data() failed: {describe(error, arguments)}",
                expected="its arguments in llama_index.load_args",
                remedy="see the class's own documentation",
            ) from None
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything
            raise InputError(f"{self._path} failed: {describe(error, arguments)}", remedy="mend its source") from None
        if not documents:
            # Many readers log what failed and give nothing.
            raise InputError(f"{self._path} loaded nothing", expected="documents", remedy="check llama_index.load_args")
        return documents

    def _item(self, name: str, document: Any) -> Item:
        text = str(getattr(document, "text", "") or "")
        suffix = ".md" if MARKDOWN.search(text) else ".txt"
        fetch = partial(_held, text.encode("utf-8", errors="replace"), name, suffix)
        label = partial(_labels, dict(getattr(document, "metadata", None) or {}), self._options)
        return Item(uri=f"{self.name}/{name}", source=self.name, suffix=suffix, fetch=fetch, label=label)


def _held(data: bytes, name: str, suffix: str, max_bytes: int) -> AbstractContextManager[Path]:
    if len(data) > max_bytes:
        raise too_large(name, max_bytes, size=len(data))
    return temporary(PurePosixPath(name).stem, suffix, [data])


def _labels(metadata: Mapping[str, Any], options: LlamaIndex) -> Labels:
    fields = {name: value for name, value in metadata.items() if name != options.readers_key}
    # None is nobody, not everyone: that nothing is known is told by leaving the key out.
    told = {"readers": metadata[options.readers_key] or ()} if options.readers_key in metadata else {}
    return replace(checked(told, "the reader's metadata"), fields=usable(fields, most=options.max_fields))


def _name(document: Any) -> str:
    """A name that stays the same from run to run: the id unless it is a random one, else what the metadata say."""
    identity = str(getattr(document, "id_", "") or "")
    metadata = getattr(document, "metadata", None) or {}
    told = (str(metadata[key]) for key in NAME_KEYS if metadata.get(key))
    stable = "" if _is_random(identity) else identity
    return redact_url(stable or next(told, "document"))[:NAME_CHARS]


def _is_random(identity: str) -> bool:
    try:
        return UUID(identity).version == 4
    except ValueError:
        return not identity
