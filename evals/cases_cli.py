"""plumb eval cases: what is asked, where it comes from, and what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from evals.together import refuse_without
from rag.terminal import clean, complain, console, in_line, number_of, print_json

if TYPE_CHECKING:
    from evals.collect import Collected, Complaints
    from rag.case import Case
    from rag.settings import Settings

app = typer.Typer(help="The eval cases of this project: from complaints, and by hand.", no_args_is_help=True)

File = Annotated[Optional[Path], typer.Option("--file", help="The file of cases; default: ui.cases.")]  # noqa: UP045
Question = Annotated[Optional[str], typer.Option(help="What is asked.")]  # noqa: UP045
Expected = Annotated[Optional[str], typer.Option(help="A right answer in full.")]  # noqa: UP045
Facts = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--fact", help="What a right answer says, as '28|twenty-eight' in any of these wordings; repeatable."),
]
Sources = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--source", help="A document that holds the answer; repeatable."),
]
Evidence = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--evidence", help="Words that must stand in the passages found; repeatable."),
]
Tags = Annotated[Optional[list[str]], typer.Option("--tag", help="A kind of question; repeatable.")]  # noqa: UP045
PartOf = Annotated[
    Optional[Literal["dev", "test"]],  # noqa: UP045
    typer.Option("--split", help="For tuning (dev, as complaints are) or for measuring."),
]
Decline = Annotated[bool, typer.Option("--decline", help="The right reaction is to decline.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    history: Annotated[bool, typer.Option("--history", help="Show what was done to the file, and when.")] = False,
    file: File = None,
    as_json: Json = False,
) -> None:
    """The eval cases of this project: from complaints, and by hand."""
    if context.invoked_subcommand and (history or file or as_json):
        from rag.errors import ConfigError

        raise ConfigError(
            f"an option before '{context.invoked_subcommand}'",
            expected="the options of a command behind its name",
            remedy="put it there; --history stands alone",
        )
    if history:
        _show_history(_path(file), as_json=as_json)
    elif context.invoked_subcommand is None:
        refuse_without("--history", context, ["file", "as_json"])
        typer.echo(context.get_help())


@app.command("list")
def list_cases(
    unconfirmed: Annotated[bool, typer.Option("--unconfirmed", help="Only those nobody confirmed.")] = False,
    file: File = None,
    as_json: Json = False,
) -> None:
    """List the cases."""
    from evals.cases import held

    path = _path(file)
    _show([case for case in held(path) if not (unconfirmed and case.confirmed)], path, as_json=as_json)


@app.command()
def add(  # noqa: PLR0913, PLR0917 - a command's options
    trace: Annotated[str, typer.Argument(metavar="ID", help="The trace of an answer; a few digits are enough.")],
    question: Question = None,
    expected: Expected = None,
    fact: Facts = None,
    source: Sources = None,
    evidence: Evidence = None,
    tag: Tags = None,
    split: PartOf = None,
    decline: Decline = False,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Make an answer a case: what people said of it tells what is right, unless you do, which confirms it."""
    from evals.cases import Told, held
    from rag.casebook import put_cases
    from rag.errors import InputError
    from rag.observe.spool import open_spool
    from rag.retell import case_of
    from rag.settings import load_settings

    settings = load_settings()
    path, spool = _path(file, settings), open_spool(settings)
    told = spool.trace(trace)
    made = case_of(told, spool.feedback(told.id))
    if told.name != "ask":
        raise InputError(f"trace {told.id} is of '{told.name}'", expected="that of an answer", remedy="choose another")
    if known := [case.id for case in held(path) if case.id == made.id or (case.then and case.then.trace_id == told.id)]:
        raise InputError(
            f"{path} has the case {known[0]}",
            expected="an answer that is no case yet",
            remedy=f"say what is right with 'plumb eval cases confirm {known[0]}'",
        )
    case = Told(
        question=question,
        expected=expected,
        facts=fact or (),
        sources=source or (),
        evidence=evidence or (),
        tags=tag or (),
        split=split,
        declined=decline,
    ).applied(made)
    put_cases(path, [case], did="add")
    spool.decide([told.id], "case")
    _warn_of_absent(case.sources)
    _show([case], path, as_json=as_json)


@app.command()
def collect(
    since: Annotated[str, typer.Option(metavar="2h|3d|DATE", help="From then on.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be made and write nothing.")] = False,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Make cases of all complaints that nobody decided on; the same question is one case."""
    from dataclasses import asdict

    from evals.cases import held
    from evals.collect import collect as collected
    from rag.casebook import put_cases
    from rag.commands.moments import moment
    from rag.embed import make_embedder
    from rag.embed.lexical import Lexical
    from rag.observe.spool import open_spool
    from rag.settings import load_settings

    settings = load_settings()
    path, spool = _path(file, settings), open_spool(settings)
    found = collected(
        spool,
        held(path),
        embed=make_embedder(settings).embed,
        terms=Lexical(settings.retrieve.language).terms,
        since=moment(since, option="--since"),
    )
    if found.collected and not dry_run:
        put_cases(path, [one.case for one in found.collected], did="collect")
        spool.decide(found.traces, "case")
    if as_json:
        print_json(asdict(found))
        return
    _show_collected(found, path)
    if dry_run:
        console().print("nothing was written")


@app.command()
def confirm(  # noqa: PLR0913, PLR0917 - a command's options
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Cases, or their traces; a beginning is enough.")],
    question: Question = None,
    expected: Expected = None,
    fact: Facts = None,
    source: Sources = None,
    evidence: Evidence = None,
    tag: Tags = None,
    split: PartOf = None,
    decline: Decline = False,
    file: File = None,
    as_json: Json = False,
) -> None:
    """Say that cases are right, or what is right in them: only then do they count in a gate."""
    from evals.cases import Told, found, held
    from rag.casebook import put_cases

    path, told = (
        _path(file),
        Told(
            question=question,
            expected=expected,
            facts=fact or (),
            sources=source or (),
            evidence=evidence or (),
            tags=tag or (),
            split=split,
            declined=decline,
        ),
    )
    cases = held(path)
    confirmed = [replace(told.applied(found(cases, one, path)), confirmed=True) for one in ids]
    put_cases(path, confirmed, did="confirm")
    _warn_of_absent(told.sources)
    _show(confirmed, path, as_json=as_json)


@app.command()
def drop(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Cases, or their traces; a beginning is enough.")],
    file: File = None,
    as_json: Json = False,
) -> None:
    """Take cases out of the file; their complaints stay decided."""
    from evals.cases import found, held
    from rag.casebook import drop_cases

    path = _path(file)
    cases = held(path)
    dropped = [found(cases, one, path) for one in ids]
    drop_cases(path, [case.id for case in dropped], did="drop")
    if as_json:
        _show(dropped, path, as_json=True)
        return
    console().print(f"{number_of('case', len(dropped))} dropped from {clean(str(path))}", markup=False, soft_wrap=True)


def _warn_of_absent(sources: Sequence[str]) -> None:
    """Tell of sources that no search can find; nothing where the index can't be looked into: a case needs none."""
    from evals.absent import absent
    from rag.errors import PlumbError
    from rag.settings import load_settings

    try:
        named = absent(sources, load_settings()) if sources else []
    except PlumbError:
        return
    for source in named:
        complain(
            f"warning: no document of the index is '{in_line(source)}', so this source would never be found;"
            " 'plumb library list' shows their names"
        )


def _path(file: Path | None, settings: Settings | None = None) -> Path:
    from rag.settings import load_settings

    if file is not None:
        return file
    held = settings or load_settings()
    return held.root / held.ui.cases


def _show(cases: Sequence[Case], path: Path, *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print_json([asdict(case) for case in cases])
        return
    for case in cases:
        console().print(_line(case), markup=False, soft_wrap=True)
        if not case.expects and case.answerable:
            remedy = f"plumb eval cases confirm {in_line(case.id)} --fact ... --source ..., or --decline"
            console().print(f"    nobody said what is right: {remedy}", markup=False, soft_wrap=True)
        if case.also:
            told = f"people corrected it differently, also to: {_quoted(case.also)}"
            console().print(in_line(f"    {told}"), markup=False, soft_wrap=True)
    if not cases:
        console().print(f"No cases like this in {clean(str(path))}.", markup=False, soft_wrap=True)


def _line(case: Case) -> str:
    """A case in one line: what it expects stands behind its question."""
    expected = (
        *(" or ".join(fact) for fact in case.facts),
        *((case.expected,) if case.expected else ()),
        *(f"<{source}>" for source in case.sources),
    )
    right = "; ".join(expected) if case.answerable else "(to decline)"
    state = "confirmed" if case.confirmed else "open"
    weight = f"{case.weight:g} x " if case.weight != 1 else ""
    return in_line(f"{case.id}  {state:<9}  {case.split:<4}  {case.origin:<9}  {weight}{case.question}  {right}")


def _show_collected(found: Complaints, path: Path) -> None:
    for one in found.collected:
        console().print(f"{'new  ' if one.is_new else 'known'}  {_line(one.case)}", markup=False, soft_wrap=True)
        for line in _merging(one):
            console().print(f"       {in_line(line)}", markup=False, soft_wrap=True)
    new = sum(one.is_new for one in found.collected)
    open_ = sum(not one.case.confirmed for one in found.collected)
    told = f"{number_of('answer', len(found.traces))}: {number_of('new case', new)}, {len(found.collected) - new} known"
    console().print(f"{told}; {open_} to confirm, in {clean(str(path))}", markup=False, soft_wrap=True)
    if found.mute:
        complain(f"{number_of('answer', found.mute)} left out: their traces keep no texts")
    if found.left_out:
        complain(f"{number_of('older answer', found.left_out)} not looked at yet: collect again")


def _merging(one: Collected) -> list[str]:
    """What was taken together, and where people contradict each other or what was confirmed."""
    answers = f"takes in {number_of('answer', len(one.traces))}: {', '.join(trace[:8] for trace in one.traces)}"
    is_several = len(one.traces) > 1 or not one.is_new or one.questions
    told = [answers, *(f"also asked: {question}" for question in one.questions)] if is_several else []
    case = one.case
    if one.set_aside:
        return [*told, f"corrected to: {_quoted(one.set_aside)}; what was confirmed stays"]
    if case.also and not case.confirmed:
        return [
            *told,
            f"people corrected it differently: {_quoted((case.expected, *case.also))}; the latest is expected",
        ]
    return told


def _quoted(answers: Sequence[str]) -> str:
    return "; ".join(f"“{answer}”" for answer in answers)


def _show_history(path: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    from rag.case_history import changes

    found = changes(path)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    before = ""
    for one in found:
        if before and one.before != before:
            console().print(f"{'':25}  {before[:12]} to {one.before[:12] or 'nothing'}  by hand", markup=False)
        named = f": {', '.join(one.ids)}" if one.ids else ""
        line = in_line(f"{one.at}  {one.before[:12] or 'nothing'} to {one.after[:12]}  {one.did}{named}")
        console().print(line, markup=False, soft_wrap=True)
        before = one.after
    if not found:
        console().print(f"Nothing was noted of {clean(str(path))}.", markup=False, soft_wrap=True)
