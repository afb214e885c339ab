"""A dataset file and its dataset in Langfuse: what changed on which side since they were last in step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.case import Case, case_line
from rag.durable import replace_text
from rag.errors import StoreError
from rag.observe.account import Account

# What each case was when both sides had the same, by id.
Digests = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The ids of cases that are not the same on both sides; those that are gone from a side changed there, too.

    `clashing` changed on both.
    """

    here: tuple[str, ...] = ()
    there: tuple[str, ...] = ()
    clashing: tuple[str, ...] = ()


def digests(cases: Sequence[Case]) -> dict[str, str]:
    """What tells each case from any other state of it, by id."""
    return {case.id: hashlib.sha256(case_line(case).encode()).hexdigest()[:32] for case in cases}


def compare(here: Digests, there: Digests, *, base: Digests) -> Changes:
    """Which cases changed on which side; a case that no side had at the base is new where it is."""
    differing = [one for one in dict.fromkeys([*here, *there]) if here.get(one) != there.get(one)]
    changed_here = tuple(one for one in differing if there.get(one) == base.get(one))
    changed_there = tuple(one for one in differing if here.get(one) == base.get(one))
    known = {*changed_here, *changed_there}
    return Changes(here=changed_here, there=changed_there, clashing=tuple(one for one in differing if one not in known))


def settled(base: Digests, here: Digests, there: Digests) -> dict[str, str]:
    """The base from now on: what is the same on both sides is so, of the rest it stays as it was."""
    same = {one: digest for one, digest in here.items() if there.get(one) == digest}
    rest = {one: digest for one, digest in base.items() if one not in same and (one in here or one in there)}
    return {**rest, **same}


def base_path(folder: Path, file: Path, account: Account) -> Path:
    """Where the base of a file and a project is kept: a file elsewhere, or another project, has its own."""
    told = f"{file.resolve()}\n{account.host}\n{account.public_key}"
    return folder / "datasets" / f"{file.stem}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"


def load_base(path: Path) -> dict[str, str]:
    """The base; nothing where there is none, or none that can be read: then nothing is overwritten either."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(one): str(digest) for one, digest in told.items()} if isinstance(told, dict) else {}


def save_base(path: Path, base: Digests) -> None:
    """Keep the base. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, json.dumps(base, indent=1, sort_keys=True))
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror}", expected="a place to keep what was in step") from None


def rewritten(text: str, taken: Mapping[str, Case], dropped: Sequence[str]) -> str:
    """The text of a dataset file with these cases in place of those of their ids, or at its end, and without others.

    Lines that don't change stay as they are.
    """
    new, lines = dict(taken), []
    for line in text.removeprefix("\ufeff").split("\n"):
        name = str(json.loads(line)["id"]).strip() if line.strip() else ""
        if name in dropped:
            continue
        lines.append(case_line(new.pop(name)) if name in new else line)
    kept = "\n".join(lines).rstrip("\n")
    return "".join(f"{line}\n" for line in (kept, *map(case_line, new.values())) if line)
