"""What no search finds in a folder: documents that are being written, and old ones that are still to be deleted."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rag.durable import replace_text
from rag.types import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Names of staged revisions (`revision_name`), and retired revisions.

    Kept in one small file that is replaced whole: that is what makes a switch of documents one step, for every reader
    and through a crash.
    """

    staged: frozenset[str] = frozenset()
    retired: tuple[Revision, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of all of them."""
        return sorted({*self.staged, *map(_name, self.retired)})

    def with_staged(self, names: Collection[str]) -> Hidden:
        """These are being written, too."""
        return replace(self, staged=self.staged | set(names))

    def switched(self, new: Iterable[Revision], retired: Iterable[Revision]) -> Hidden:
        """The new ones are found from now on, the retired ones no more."""
        old = tuple(retired)
        return Hidden(staged=self.staged - {_name(made) for made in (*new, *old)}, retired=(*self.retired, *old))

    def without(self, deleted: Collection[Revision]) -> Hidden:
        """Of these nothing is left."""
        gone = frozenset(deleted)
        return replace(self, retired=tuple(made for made in self.retired if made not in gone))

    def write(self, path: Path) -> None:
        """Replace the file; durable on return."""
        told = {"staged": sorted(self.staged), "retired": [asdict(made) for made in self.retired]}
        replace_text(path, json.dumps(told))

    @classmethod
    def read(cls, path: Path) -> Hidden:
        """What the file says. Raises OSError where there is none: what is half written would be found."""
        told = json.loads(path.read_text())
        retired = tuple(Revision(**made) for made in told["retired"])
        return cls(staged=frozenset(told["staged"]), retired=retired)


def revision_name(uri: str, digest: str) -> str:
    """The name that all chunks of a revision of a document bear."""
    return f"{digest}\n{uri}"


def _name(made: Revision) -> str:
    return revision_name(made.uri, made.digest)
