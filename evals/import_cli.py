"""plumb eval import: cases from other datasets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from evals.together import refuse_without
from rag.terminal import clean, console, number_of

if TYPE_CHECKING:
    from evals.imports.sample import Sample
    from rag.case import Case

app = typer.Typer(help="Cases from other datasets, and their documents as files.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="The new file of cases.")]
Documents = Annotated[
    Path, typer.Option(help="The folder for its documents; after 'plumb ingest' of it, the sources match.")
]
PartOf = Annotated[Literal["dev", "test"], typer.Option(help="The split of the cases.")]
Limit = Annotated[Optional[int], typer.Option(min=1, help="Take so many, drawn by chance.")]  # noqa: UP045
Seed = Annotated[int, typer.Option(help="The same seed draws the same.")]


@app.callback()
def _options() -> None:
    """Cases from other datasets, and their documents as files."""


@app.command()
def beir(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="With corpus.jsonl, queries.jsonl and qrels.")],
    out: Out,
    documents: Documents,
    judged: Annotated[str, typer.Option(metavar="NAME", help="The judgments: qrels/NAME.tsv.")] = "test",
    split: PartOf = "test",
    limit: Limit = None,
    seed: Seed = 0,
) -> None:
    """Import queries, their relevant documents and the whole corpus of a dataset in BEIR's form."""
    from evals.imports.beir import beir as read

    _write(
        out,
        read(folder, documents, judged=judged, split=split, sample=_sample(context, limit, seed)),
        did=f"import beir {folder.name}",
    )


@app.command()
def squad(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON as SQuAD 1.1 or 2.0 has it.")],
    out: Out,
    documents: Documents,
    split: PartOf = "test",
    limit: Limit = None,
    seed: Seed = 0,
) -> None:
    """Import questions, gold answers and paragraphs of a dataset in SQuAD's form."""
    from evals.imports.squad import squad as read

    _write(
        out, read(file, documents, split=split, sample=_sample(context, limit, seed)), did=f"import squad {file.name}"
    )


@app.command("csv")
def table(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A table with a header; UTF-8, any common separator.")],
    out: Out,
    column: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="FIELD=NAME", help="The column of a field, unless it has its name; repeatable."),
    ] = None,
    split: PartOf = "test",
    limit: Limit = None,
    seed: Seed = 0,
) -> None:
    """Import a table, a case a row: question, expected, facts, sources, evidence, tags, answerable, weight."""
    from evals.imports.table import table as read

    columns = dict(_mapped(one) for one in column or ())
    _write(
        out,
        read(file, columns=columns, split=split, sample=_sample(context, limit, seed)),
        did=f"import csv {file.name}",
    )


def _sample(context: typer.Context, limit: int | None, seed: int) -> Sample:
    from evals.imports.sample import Sample

    if limit is None:
        refuse_without("--limit", context, ["seed"])
    return Sample(limit=limit, seed=seed)


def _mapped(told: str) -> tuple[str, str]:
    field, _, name = told.partition("=")
    return field.strip(), name.strip()


def _write(out: Path, cases: Iterable[Case], *, did: str) -> None:
    from evals.dataset import write_dataset

    screen = console(stderr=True)
    if screen.is_terminal:
        with screen.status("importing"):
            number = write_dataset(out, cases, did=did)
    else:
        number = write_dataset(out, cases, did=did)
    console().print(f"{number_of('case', number)} in {clean(str(out))}", markup=False, soft_wrap=True)
