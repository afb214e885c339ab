"""ZIP archives: every file in them that can be read, under a heading with its path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ingest.parse.allowance import Allowance, Exhausted
from ingest.parse.elements import Element, Parsed
from ingest.parse.package import Package
from ingest.parse.packed import Inner, packed_elements, shown
from rag.errors import DocumentError

_LISTED = 1_000


def parse_archive(data: bytes, inner: Inner, allowance: Allowance) -> Parsed:
    """The files of an archive, unpacked one by one while they are taken; those that can't be read are listed."""
    package = Package(data, allowance)
    allowance.take_files(sum(1 for _ in package))
    return Parsed(title="", elements=_members(package, inner))


def _members(package: Package, inner: Inner) -> Iterator[Element]:
    refused: list[str] = []
    has_some = False
    for name in package:
        if _is_aside(name):
            continue
        try:
            for element in packed_elements(name, package.read(name), inner):
                yield element
                has_some = True
        except Exhausted:
            raise
        except DocumentError as error:
            refused.append(f"- {shown(name)}: {shown(error.seen)}")
    yield from _not_read(refused, has_some)


def _is_aside(name: str) -> bool:
    """Whether the file is hidden, or lies beside the documents for the system's own use."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _not_read(refused: list[str], has_some: bool) -> Iterator[Element]:
    if refused and not has_some:
        raise DocumentError(
            f"none of the {len(refused)} files in it can be read, the first: {refused[0][2:]}",
            expected="an archive with a document in it",
            remedy="unpack it and see",
        )
    if refused:
        yield Element(kind="title", text="Files that were not read", level=2)
        yield Element(kind="list", text="\n".join(refused[:_LISTED]))
