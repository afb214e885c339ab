"""plumb index: versions of the index, made beside each other and switched in one step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rag.terminal import clean, complain, console, number_of, print_json

if TYPE_CHECKING:
    from ingest.progress import Report
    from rag.settings import Settings
    from rag.versions import Versions

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(help="Versions of the index: made beside the live one, switched in one step.", no_args_is_help=True)


@app.command("list")
def list_versions(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """Show the versions, what each was made with, and which one answers."""
    from rag.settings import load_settings

    rows = _rows(load_settings())
    if as_json:
        print_json(rows)
        return
    if not rows:
        console().print("There is no index yet. Fill it: plumb ingest PATH")
    width = max(8, *(len(row["name"]) for row in rows), 0)
    for row in rows:
        mark = "live" if row["live"] else ""
        size = f"{row['chunk_tokens']} tokens a chunk by {row['chunking']}"
        made = f"{row['embed']}, {size}, {row['language']}, parser {row['parser']}"
        held = f"{number_of('document', row['documents'])}, {number_of('chunk', row['chunks'])}"
        console().print(f"{row['name']:{width}} {mark:5} {held}  {clean(made)}", markup=False)


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="Name of the version; default: the next number.")] = "",
    engine: Annotated[Literal["local", "ray"], typer.Option(help="As for 'plumb ingest'.")] = "local",
    as_json: AsJson = False,
) -> None:
    """Fill a version with the documents of the live one, made as the settings say now; questions don't notice."""
    from dataclasses import asdict

    from ingest.cli import filled
    from rag.settings import load_settings
    from rag.versions import Versions

    settings = load_settings()
    versions = Versions(settings)
    _check_name(name)
    chosen = name or _next(settings, versions)
    report = filled(_sources(settings), settings, engine, version=chosen)
    live = versions.live()
    print_json({**asdict(report), "live": live}) if as_json else _tell_built(report, chosen, live)
    if report.failed:
        raise typer.Exit(1)


def _tell_built(report: Report, name: str, live: str) -> None:
    from ingest.cli import print_report

    print_report(report)
    if name != live:
        console().print(f"Compare:  plumb index compare QUESTIONS {live} {name}", markup=False)
        console().print(f"Switch:   plumb index switch {name}", markup=False)


@app.command()
def switch(
    name: Annotated[str, typer.Argument(help="The version that answers from now on.")], as_json: AsJson = False
) -> None:
    """Answer from another version, in one step; 'plumb index rollback' goes back."""
    from rag.settings import load_settings
    from rag.versions import Versions

    settings = load_settings()
    versions = Versions(settings)
    versions.require(name)
    _warn_if_behind(settings, versions.live(), name)
    versions.switch(name)
    _tell_live(versions, as_json=as_json)


@app.command()
def rollback(as_json: AsJson = False) -> None:
    """Answer from the version that was live before the last switch."""
    from rag.errors import InputError
    from rag.settings import load_settings
    from rag.versions import Versions

    versions = Versions(load_settings())
    before = versions.before()
    if not before:
        raise InputError(
            "there is no version to go back to",
            expected="an earlier switch",
            remedy="'plumb index list' shows what there is",
        )
    versions.switch(before)
    _tell_live(versions, as_json=as_json)


def _tell_live(versions: Versions, *, as_json: bool) -> None:
    live = versions.live()
    if as_json:
        print_json({"live": live, "before": versions.before()})
        return
    console().print(f"{live} answers now", markup=False)


@app.command()
def delete(name: Annotated[str, typer.Argument(help="A version that is not live.")], as_json: AsJson = False) -> None:
    """Remove a version with its chunks; vectors that were paid for stay in the cache."""
    from ingest.cli import turn
    from ingest.library import Library
    from rag.settings import load_settings
    from rag.versions import Versions

    settings = load_settings()
    versions = Versions(settings)
    _check_name(name)
    versions.require(name)
    with turn(Library(settings, name)):
        versions.delete(name)
    if as_json:
        print_json({"deleted": name, "live": versions.live()})
        return
    console().print(f"{name} is gone", markup=False)


def _rows(settings: Settings) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from ingest.library import Library
    from rag.versions import Versions

    versions = Versions(settings)
    live, rows = versions.live(), []
    for name in versions.names():
        records = Library(settings, name).manifest.records().values()
        chunks = sum(record.chunks for record in records)
        counts = {"documents": len(records), "chunks": chunks}
        rows.append({"name": name, "live": name == live, **counts, **asdict(versions.require(name))})
    return rows


def _next(settings: Settings, versions: Versions) -> str:
    """The name of the version to be made; raises InputError when it would be the same as the live one."""
    from ingest.library import Library
    from ingest.pipeline import PIPELINE_VERSION
    from rag.errors import InputError

    live = versions.live()
    if live and not Library(settings, live).differs(PIPELINE_VERSION):
        raise InputError(
            f"the settings would make the same as version {live}",
            expected="another embedder, chunking, chunk size, language or parser",
            remedy="change the settings first, or name the version to build it all the same",
        )
    taken = set(versions.names())
    return next(name for number in range(1, len(taken) + 2) if (name := f"v{number}") not in taken)


def _check_name(name: str) -> None:
    import re

    from rag.errors import InputError

    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}", name):
        raise InputError(
            f"'{name}' can't name a version", expected="letters, digits, - and _", remedy="choose another name"
        )


def _sources(settings: Settings) -> list[str]:
    """The places that the live version was filled from."""
    from ingest.library import Library, places_of
    from ingest.sources.pattern import is_pattern
    from rag.errors import InputError

    records = Library(settings).manifest.records().values()
    if not records:
        raise InputError("the live version holds no documents", expected="some", remedy="fill it: plumb ingest PATH")
    places = places_of(settings, sorted({record.source for record in records}))
    gone = [
        place for place in places if Path(place).is_absolute() and not (is_pattern(Path(place)) or Path(place).exists())
    ]
    for place in gone:
        complain(f"{place} is not there any more and is left out")
    return [place for place in places if place not in gone]


def _warn_if_behind(settings: Settings, live: str, name: str) -> None:
    from ingest.library import Library

    now, then = (
        {uri: record.hash for uri, record in Library(settings, version).manifest.records().items()}
        for version in (live, name)
    )
    behind = sum(then.get(uri) != content for uri, content in now.items()) + len(then.keys() - now.keys())
    if behind:
        told = number_of("document", behind)
        complain(f"{told} not as in {live}; 'plumb index build {name}' brings it up to date")
