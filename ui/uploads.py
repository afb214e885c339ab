"""Files that visitors send: under safe names in a folder of each visitor, and labelled with who may read them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ingest.labels import SUFFIX
from ingest.parse import SUPPORTED
from rag.durable import replacing
from rag.errors import InputError, StoreError
from rag.settings import Settings
from rag.types import EVERYONE

FOLDER = "uploads"
# Of a stem: file systems take 255 for a name, and labels need some of it.
NAME_BYTES = 150
_UNSAFE = re.compile(r"[^\w .()+,&@-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as it was sent; its name is the sender's, and may be anything."""

    name: str
    data: bytes


def safe_name(name: str) -> str:
    """The name of a document under which a file is kept: no path, not hidden, of a kind that can be read.

    Raises InputError for another kind; files of labels are of none.
    """
    # Composed first, as stored: the same letters can be written in two ways.
    last = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/"))
    ending = last.suffix.lower()
    if ending not in SUPPORTED:
        raise InputError(
            f"'{last.name[:80]}' is of a kind that can't be read",
            expected=f"one of {' '.join(SUPPORTED)}",
            remedy="convert it",
        )
    short = _UNSAFE.sub("_", last.stem).encode(errors="replace")[:NAME_BYTES].decode(errors="ignore").strip(" .")
    return f"{short or 'document'}{ending}"


def check(uploads: Sequence[Upload], settings: Settings) -> None:
    """Raise InputError for too many files, for one that is too large, of another kind, or named like another."""
    options = settings.ui
    if len(uploads) > options.upload_files:
        raise InputError(
            f"{len(uploads)} files at once", expected=f"at most {options.upload_files}", remedy="send fewer at a time"
        )
    names = [safe_name(upload.name) for upload in uploads]
    for upload, name in zip(uploads, names, strict=True):
        if len(upload.data) > options.upload_file_mb * 1_000_000:
            raise InputError(
                f"'{name}' has {len(upload.data):,} bytes",
                expected=f"at most ui.upload_file_mb = {options.upload_file_mb}",
                remedy="send a smaller one",
            )
        if names.count(name) > 1:
            raise InputError(f"two files are called '{name}'", expected="names that differ", remedy="rename one")


def store(uploads: Sequence[Upload], settings: Settings, *, owner: str, user: str) -> list[Path]:
    """Keep files of an owner; one of the same name is replaced. Returns where they are.

    What a user sends is for that user, or for everyone where `ui.upload_readers` says so; what somebody without a name
    sends is labelled by the rules for all documents. Raises InputError, before anything is kept, and StoreError.
    """
    check(uploads, settings)
    folder = settings.data_path / FOLDER / hashlib.sha256(owner.encode()).hexdigest()[:16]
    reader = EVERYONE if settings.ui.upload_readers == "everyone" else f"user:{user}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_store(folder / safe_name(upload.name), upload.data, reader if user else "") for upload in uploads]
    except OSError as error:
        raise StoreError(
            f"{folder}: {error.strerror or error}", expected="a writable folder", remedy="check the disk and its rights"
        ) from error


def _store(path: Path, data: bytes, reader: str) -> Path:
    # The labels first: a document must never be there without them.
    if reader:
        _replace(path.with_name(path.name + SUFFIX), f"readers = [{json.dumps(reader, ensure_ascii=False)}]\n".encode())
    _replace(path, data)
    return path


def _replace(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)
