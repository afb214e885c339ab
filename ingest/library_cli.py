"""plumb library: what is in the index, document by document and chunk by chunk, and what could not be taken."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.terminal import clean, console, in_line, number_of, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.library import Library
    from ingest.manifest import Record
    from rag.settings import Settings
    from rag.types import Chunk

app = typer.Typer(help="What is in the index, and what could not be taken.", no_args_is_help=True)

Uri = Annotated[str, typer.Argument(help="A document, by its name in 'plumb library list'.")]
Uris = Annotated[list[str], typer.Argument(help="Documents, by their names in 'plumb library list'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_documents(
    within: Annotated[str, typer.Argument(help="Only documents whose name begins so.")] = "", as_json: AsJson = False
) -> None:
    """The documents in the live version of the index."""
    _, library = _opened()
    records = sorted(library.manifest.records().values(), key=lambda record: record.uri)
    shown = [record for record in records if record.uri.startswith(within)]
    if as_json:
        print_json([asdict(record) for record in shown])
        return
    for record in shown:
        console().print(f"{in_line(record.uri)}  {number_of('chunk', record.chunks)}  {_when(record.at)}", markup=False)
    held = number_of("chunk", sum(record.chunks for record in shown))
    console().print(f"{number_of('document', len(shown))}, {held}", markup=False)


@app.command()
def show(uri: Uri, as_json: AsJson = False) -> None:
    """One document: where it came from, what it was made with, why it failed if it did."""
    settings, library = _opened()
    record, failure = library.manifest.records().get(uri), library.manifest.failures().get(uri)
    if not (record or failure):
        raise _unknown(uri)
    facts = {
        "uri": uri,
        "version": library.version,
        "model": _embedder(settings, library),
        "document": asdict(record) if record else None,
        **(_labels(settings, library, record) if record else {}),
        "failure": asdict(failure) if failure else None,
    }
    if as_json:
        print_json(facts)
        return
    if record:
        made = f"by {facts['model']}, {_when(record.at)}, from {in_line(record.source)}"
        held = number_of("chunk", record.chunks)
        console().print(f"{in_line(record.title)}\n{in_line(uri)}\n{held} {made}", markup=False)
        fields = "".join(f"; {name} = {value}" for name, value in facts["fields"].items())
        console().print(f"for {', '.join(facts['readers']) or 'nobody'}{clean(fields)}", markup=False)
        console().print(f"content {record.content}, {record.bytes:,} bytes; version {library.version}", markup=False)
    if failure:
        kept = "; the text before the change still answers" if record else ""
        console().print(f"failed {_when(failure.at)}: {clean(failure.reason)}{kept}", markup=False)


@app.command()
def chunks(uri: Uri, as_json: AsJson = False) -> None:
    """The chunks of a document in order: text, page, headings, and whose vectors they have."""
    settings, library = _opened()
    record = library.manifest.records().get(uri)
    if record is None:
        raise _unknown(uri)
    found = _chunks(settings, library, record)
    if as_json:
        print_json([{**asdict(chunk), "model": _embedder(settings, library)} for chunk in found])
        return
    for chunk in found:
        console().print(f"[{chunk.position}] {clean(chunk.place)}  {chunk.id}", markup=False, style="dim")
        console().print(clean(chunk.text) + "\n", markup=False)


@app.command()
def picture(
    identifier: Annotated[str, typer.Argument(metavar="CHUNK", help="A chunk, by its id in 'plumb library chunks'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG file to write.")],
) -> None:
    """Draw the page of a chunk of a PDF or a picture, with the chunk marked."""
    from ingest.picture import passage_picture
    from rag.index import open_index

    settings, library = _opened()
    store = open_index(settings, version=library.version).store
    found = store.retrieve([identifier]) if _is_id(identifier) else []
    store.close()
    if not found:
        raise _no_chunk(identifier)
    output.write_bytes(passage_picture(found[0], settings=settings))
    console().print(f"{in_line(found[0].uri)}, {clean(found[0].place)} -> {clean(str(output))}", markup=False)


@app.command()
def remove(uris: Uris, as_json: AsJson = False) -> None:
    """Take documents out of the index; the next ingest of their folder brings back those that are still there."""
    from contextlib import closing

    from ingest.cli import turn
    from ingest.writer import Writer
    from rag.index import open_index

    settings, library = _opened()
    index = open_index(settings, version=library.version)
    writer = Writer(index.store, library.manifest, index.lexical)
    with turn(library), closing(index.store):
        # What a run changed until now, or left when it crashed, is known only from here on.
        writer.recover(max_compared=settings.ingest.max_compared_chunks)
        _require_known(library, uris)
        records = library.manifest.records()
        writer.remove([records[uri] for uri in uris if uri in records])
        library.manifest.remove([uri for uri in uris if uri not in records])
    removed = list(dict.fromkeys(uris))
    print_json({"removed": removed}) if as_json else console().print(f"{len(removed)} removed", markup=False)


@app.command()
def reparse(uris: Uris, as_json: AsJson = False) -> None:
    """Read documents again though they did not change: after an extra was installed, or a parser mended."""
    _, library = _opened()
    _require_known(library, uris)
    _ingest_anew(list(uris), as_json=as_json)


@app.command()
def failed(as_json: AsJson = False) -> None:
    """The documents that could not be taken, and why."""
    _, library = _opened()
    failures = sorted(library.manifest.failures().values(), key=lambda failure: failure.uri)
    if as_json:
        print_json([asdict(failure) for failure in failures])
        return
    for failure in failures:
        console().print(f"{in_line(failure.uri)}: {clean(failure.reason)}", markup=False)
    console().print(f"{len(failures)} failed", markup=False)


@app.command()
def retry(as_json: AsJson = False) -> None:
    """Try the failed documents once more."""
    _, library = _opened()
    uris = list(library.manifest.failures())
    if uris:
        _ingest_anew(uris, as_json=as_json)
    else:
        console().print("nothing failed", markup=False)


def _ingest_anew(uris: list[str], *, as_json: bool) -> None:
    from ingest.cli import follow, print_report
    from ingest.library import places_of
    from ingest.pipeline import ingest
    from rag.settings import load_settings

    settings = load_settings()
    report = follow(ingest(places_of(settings, uris), settings=settings, anew=uris))
    print_json(asdict(report)) if as_json else print_report(report)
    if report.failed:
        raise typer.Exit(1)


def _opened() -> tuple[Settings, Library]:
    from ingest.library import Library
    from rag.settings import load_settings

    settings = load_settings()
    return settings, Library(settings)


def _require_known(library: Library, uris: Iterable[str]) -> None:
    """Raise InputError for a document that is neither in the index nor failed."""
    known = library.manifest.records().keys() | library.manifest.failures().keys()
    for uri in uris:
        if uri not in known:
            raise _unknown(uri)


def _labels(settings: Settings, library: Library, record: Record) -> dict[str, Any]:
    """Who may read a document, and its fields: each of its chunks says so."""
    from rag.index import open_index

    store = open_index(settings, version=library.version).store
    found = store.retrieve([next(record.made.chunk_ids)])
    store.close()
    return (
        {"readers": list(found[0].readers), "fields": dict(found[0].fields)} if found else {"readers": [], "fields": {}}
    )


def _chunks(settings: Settings, library: Library, record: Record) -> list[Chunk]:
    from rag.index import open_index

    store = open_index(settings, version=library.version).store
    found = store.retrieve(list(record.made.chunk_ids))
    store.close()
    return sorted(found, key=lambda chunk: chunk.position)


def _embedder(settings: Settings, library: Library) -> str:
    from rag.versions import Versions

    recipe = Versions(settings).recipe(library.version)
    return recipe.embed if recipe else settings.roles.embed


def _unknown(uri: str) -> Exception:
    from rag.errors import InputError

    return InputError(
        f"the index holds no document '{uri}'",
        expected="a name as 'plumb library list' shows it",
        remedy="check its spelling",
    )


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _no_chunk(identifier: str) -> Exception:
    from rag.errors import InputError

    return InputError(
        f"the index holds no chunk '{identifier}'",
        expected="an id as 'plumb library chunks' shows it",
        remedy="copy it from there",
    )


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
