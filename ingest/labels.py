"""Who may read a document and what it is labelled with, as files beside it or its source tell."""

from __future__ import annotations

import errno
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import DocumentError
from rag.scope import field_value, is_reader
from rag.types import EVERYONE, FieldValue

# Beside `report.pdf` its labels lie in `report.pdf.meta.toml`, those of a whole folder in it in `folder.meta.toml`.
SUFFIX = ".meta.toml"
OF_FOLDER = f"folder{SUFFIX}"
# No file of such a name can be there.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
EXPECTED = (
    "readers = ['everyone', 'user:NAME', 'group:NAME'] and a table [fields] of names with texts, numbers or dates"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """`readers` is None where nothing was said of them: what is said elsewhere counts then."""

    readers: tuple[str, ...] | None = None
    fields: Mapping[str, FieldValue] = field(default_factory=dict)

    def over(self, other: Labels) -> Labels:
        """What both say, and where they differ, what this one does."""
        readers = other.readers if self.readers is None else self.readers
        return Labels(readers=readers, fields={**other.fields, **self.fields})

    @property
    def digest(self) -> str:
        """Changes with the labels; '' for those of a document that nothing was said of."""
        if self.readers in (None, (EVERYONE,)) and not self.fields:
            return ""
        told = json.dumps([sorted(self.readers or ()), dict(self.fields)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


NOTHING = Labels()


def beside(path: Path, top: Path, *, max_kb: int) -> Labels:
    """What the files beside a document tell of it: its own over its folder's, over those of the folders up to `top`.

    Raises DocumentError for one that can't be read: nobody knows then who may read the document.
    """
    above = [folder for folder in reversed(path.parents) if folder.is_relative_to(top)]
    told = NOTHING
    for file in (*(folder / OF_FOLDER for folder in above), path.with_name(path.name + SUFFIX)):
        told = _read(file, max_kb).over(told)
    return told


def is_beside_any(file: Path) -> bool:
    """Whether a file of labels tells anything of anybody: of its folder, or of a document that is there.

    One with a capital too many, or left behind by a renamed document, restricts nothing.
    """
    name = file.name.removesuffix(SUFFIX)
    return file.name == OF_FOLDER or (name != file.name and file.with_name(name).exists())


def _read(file: Path, max_kb: int) -> Labels:
    try:
        if not _is_there(file):
            return NOTHING
        if not file.is_file() or file.stat().st_size > max_kb * 1000:
            raise DocumentError(f"{file.name} is no file of at most {max_kb} kB", expected=EXPECTED, remedy="mend it")
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DocumentError(f"can't read {file.name}: {error}", expected=EXPECTED, remedy="mend it") from None
    return checked(told, file.name)


def _is_there(file: Path) -> bool:
    """Whether there is something of this name. Raises OSError where that can't be told: it may restrict readers."""
    try:
        file.lstat()
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True


def checked(told: Mapping[str, Any], where: str) -> Labels:
    """Labels from foreign values; raises DocumentError, which names `where` they are from, for anything else."""
    unknown = set(told) - {"readers", "fields"}
    readers, fields = told.get("readers"), told.get("fields", {})
    if unknown or not _are_readers(readers) or not isinstance(fields, dict):
        raise DocumentError(f"labels in {where}: {str(dict(told))[:200]}", expected=EXPECTED, remedy="mend it")
    try:
        named = {name: field_value(name, value) for name, value in fields.items()}
    except ValueError as error:
        raise DocumentError(f"labels in {where}: {error}", expected=EXPECTED, remedy="mend it") from None
    return Labels(readers=None if readers is None else tuple(readers), fields=named)


def usable(metadata: Mapping[str, Any], *, most: int) -> dict[str, FieldValue]:
    """Those of a reader's metadata that can be labels, as many as allowed; the others are left out."""
    fields: dict[str, FieldValue] = {}
    for name, value in metadata.items():
        try:
            fields[str(name)] = field_value(str(name), value)
        except ValueError:
            continue
    return dict(sorted(fields.items())[:most])


def _are_readers(value: Any) -> bool:
    return value is None or (
        isinstance(value, list | tuple) and all(isinstance(r, str) and is_reader(r) for r in value)
    )
