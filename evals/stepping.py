"""A dataset file and its dataset in Langfuse kept in step: pushed there, or pulled from there.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.dataset import load_dataset
from evals.dataset_server import DatasetServer
from evals.in_step import Changes, Digests, base_path, compare, digests, load_base, rewritten, save_base, settled
from evals.items import Item, case_id, case_of, item_id, item_of
from rag.case import Case
from rag.case_history import note_change, version_of
from rag.casebook import locked
from rag.durable import replace_text
from rag.errors import InputError
from rag.observe.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What came of it, as ids of cases.

    `written` were written to the other side, `dropped` archived there or taken out of the file. `clashing` changed on
    both sides, and were left alone; `waiting` changed on the other side only, and wait for the other command.
    `unusable` tells why items there are no cases, `withheld` are cases that the server may not have.
    """

    dataset: str
    written: tuple[str, ...]
    dropped: tuple[str, ...]
    clashing: tuple[str, ...]
    waiting: tuple[str, ...]
    unusable: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """A dataset as it is there: its cases and items by the case's id, and why the others are no cases."""

    cases: Mapping[str, Case]
    items: Mapping[str, Item]
    unusable: Mapping[str, str]


def push(file: Path, server: DatasetServer, spool: Spool, *, folder: Path, ours: bool = False) -> Stepped:
    """Write there what changed here since both were in step; with `ours`, also what changed on both sides.

    `folder` keeps what was in step. A case of an answer that not everyone may read stays here, unless the settings say
    more. Raises InputError for a file that is no dataset, DeliveryError and StoreError.
    """
    dataset = load_dataset(file)
    withheld = tuple(case.id for case in dataset.cases if not _may_go(case, server, spool))
    here = {case.id: case for case in dataset.cases if case.id not in withheld}
    server.make(dataset.name)
    there = _read(server, dataset.name, without=withheld)
    kept = base_path(folder, file, server.account)
    base = load_base(kept)
    changes = _compared(here, there, base)
    wanted = (*changes.here, *(changes.clashing if ours else ()))
    for one in wanted:
        item = there.items[one].id if one in there.items else item_id(dataset.name, one)
        told = item_of(here[one], item) if one in here else there.items[one]
        server.put(dataset.name, told, archived=one not in here)
    save_base(kept, settled(base, _digests(here), _digests(_after(there.cases, here, wanted))))
    return Stepped(
        dataset=dataset.name,
        written=tuple(one for one in wanted if one in here),
        dropped=tuple(one for one in wanted if one not in here),
        clashing=() if ours else changes.clashing,
        waiting=changes.there,
        unusable=tuple(there.unusable.values()),
        withheld=withheld,
    )


def pull(file: Path, server: DatasetServer, *, folder: Path, theirs: bool = False) -> Stepped:
    """Write to the file what changed there since both were in step; with `theirs`, also what changed on both sides.

    The dataset is called like the file, which is made if need be; what is done to it is noted beside it. Raises
    InputError where the server has no such dataset, and as `push` does.
    """
    name = file.stem
    if server.find(name) is None:
        raise InputError(
            f"{server.where()} has no dataset '{name}'", expected="one of its datasets", remedy="see 'plumb eval push'"
        )
    there = _read(server, name)
    # From reading the file to writing it: what anyone changes meanwhile would be lost.
    with locked(file):
        here = {case.id: case for case in load_dataset(file).cases} if file.exists() else {}
        kept = base_path(folder, file, server.account)
        # A file that was removed is made anew: that is not to drop all its cases.
        base = load_base(kept) if here else {}
        changes = _compared(here, there, base)
        wanted = (*changes.there, *(changes.clashing if theirs else ()))
        if wanted:
            _rewrite(file, {one: there.cases[one] for one in wanted if one in there.cases}, wanted)
        save_base(kept, settled(base, _digests(_after(here, there.cases, wanted)), _digests(there.cases)))
    return Stepped(
        dataset=name,
        written=tuple(one for one in wanted if one in there.cases),
        dropped=tuple(one for one in wanted if one not in there.cases),
        clashing=() if theirs else changes.clashing,
        waiting=changes.here,
        unusable=tuple(there.unusable.values()),
    )


def _read(server: DatasetServer, name: str, *, without: Sequence[str] = ()) -> _There:
    cases, items, unusable = {}, {}, {}
    for item in server.items(name):
        one = case_id(item, name)
        if one in without:
            continue
        items[one] = item
        try:
            cases[one] = case_of(item, name)
        except InputError as error:
            unusable[one] = str(error)
    return _There(cases=cases, items=items, unusable=unusable)


def _compared(here: Mapping[str, Case], there: _There, base: Digests) -> Changes:
    """What changed, but for what can't be read there: that is left alone on both sides."""
    readable = {one: case for one, case in here.items() if one not in there.unusable}
    return compare(_digests(readable), _digests(there.cases), base=base)


def _after(side: Mapping[str, Case], other: Mapping[str, Case], wanted: Sequence[str]) -> dict[str, Case]:
    """A side once it has what was wanted of the other."""
    rest = {one: case for one, case in side.items() if one not in wanted}
    return {**rest, **{one: other[one] for one in wanted if one in other}}


def _digests(cases: Mapping[str, Case]) -> dict[str, str]:
    return digests([*cases.values()])


def _may_go(case: Case, server: DatasetServer, spool: Spool) -> bool:
    """Whether the server may have the case; of an answer whose trace is gone nobody can tell any more, so it may."""
    if case.then is None:
        return True
    try:
        return server.may_read(spool.trace(case.then.trace_id))
    except InputError:
        return True


def _rewrite(file: Path, taken: Mapping[str, Case], wanted: Sequence[str]) -> None:
    """Write the cases that are taken, without the others that are wanted, and note it; the file is locked."""
    before = version_of(file)
    text = file.read_text(encoding="utf-8") if before else ""
    replace_text(file, rewritten(text, taken, [one for one in wanted if one not in taken]))
    note_change(file, did="pull", ids=wanted, before=before)
