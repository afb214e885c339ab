"""What goes between the run and the workers of a cluster, as rows of Ray Data.

Work travels as pickles, from us to the workers. What comes back is JSON, as from a parsing process.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ingest.isolate.messages import Job, Part, Refused, packed, unpacked
from ingest.labels import checked
from ingest.manifest import Failure, Record
from ingest.reading import Gone, Message, Same
from ingest.sources import Item
from rag.errors import ClusterError

Row = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A document to be read, with what the index knows of it; `is_anew` as for a Reader."""

    item: Item
    known: Record | None
    failure: Failure | None
    is_anew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Some chunks of a document are in the store, from position `first` on.

    `record` tells of the document as far as it goes with them; `warnings` come with the last.
    """

    record: Record
    first: int
    is_last: bool
    warnings: tuple[str, ...] = ()


def to_work(work: Work) -> Row:
    """Work as a row; raises ClusterError for a document that can't be fetched from elsewhere."""
    try:
        return {"work": pickle.dumps(work)}
    except (TypeError, AttributeError, pickle.PicklingError):
        # What was seen may hold credentials of the place.
        raise ClusterError(
            f"{work.item.uri} can't be read by a cluster",
            expected="a file or an object in a bucket",
            remedy="ingest it without --engine ray",
        ) from None


def from_work(row: Row) -> Work:
    """The work that `to_work` packed."""
    work: Work = pickle.loads(row["work"])  # noqa: S301 - our own, from the run
    return work


def to_row(message: Message | Staged) -> Row:
    """A message as a row."""
    match message:
        case Part() | Refused():
            job = json.dumps([message.job.uri, message.job.source, asdict(message.job.labels)]).encode()
            return {"kind": b"parsed", "job": job, "data": packed(message)}
        case Same(record=record):
            return _row(b"same", asdict(record))
        case Gone(uri=uri):
            return _row(b"gone", uri)
        case Staged():
            return _row(b"staged", asdict(message))


def from_row(row: Row) -> Message | Staged:
    """The message that `to_row` packed. The job of a part has no path any more."""
    data = row["data"]
    match row["kind"]:
        case b"parsed":
            uri, source, told = json.loads(row["job"])
            return unpacked(data, Job(path=Path(), uri=uri, source=source, labels=checked(told, "a worker's message")))
        case b"same":
            return Same(record=Record(**json.loads(data)))
        case b"gone":
            return Gone(uri=json.loads(data))
        case _:
            fields = json.loads(data)
            return Staged(record=Record(**fields.pop("record")), warnings=tuple(fields.pop("warnings")), **fields)


def table(rows: Sequence[Row]) -> Any:
    """Rows as an Arrow table of bytes."""
    import pyarrow

    names = list(rows[0]) if rows else ["kind", "job", "data"]
    return pyarrow.table({name: pyarrow.array([row[name] for row in rows], pyarrow.binary()) for name in names})


def _row(kind: bytes, fields: Any) -> Row:
    return {"kind": kind, "job": b"", "data": json.dumps(fields).encode()}
