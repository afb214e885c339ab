"""plumb eval canary and plumb eval drift: whether a model changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from evals.together import refuse_beside, refuse_without
from rag.terminal import clean, complain, console, number_of, print_json

if TYPE_CHECKING:
    from evals.drift.compare import Report
    from evals.drift.observation import Observation
    from evals.drift.observe import Asked, Started
    from rag.embed.protocol import Embedder
    from rag.settings import Settings

# Observations between two that are looked at for 'since when'.
MOST_BETWEEN = 30
canary_app = typer.Typer(help="Fixed prompts, asked again and again.", no_args_is_help=True)


@canary_app.callback()
def _options() -> None:
    """Fixed prompts, asked again and again."""


@canary_app.command("run")
def run(  # noqa: PLR0913, PLR0917 - a command's options
    file: Annotated[Path, typer.Argument(help="Canaries, one JSON object a line.")],
    repeat: Annotated[int, typer.Option(min=1, max=20, help="Ask all so often: shows the model's own noise.")] = 1,
    name: Annotated[str, typer.Option(help="What the observation is called, for 'plumb eval drift'.")] = "",
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Of every call.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 400,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Where to keep the answers; default: <data_dir>/evals/observations/<time>-<file>.json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the observation as JSON.")] = False,
) -> None:
    """Ask every canary of the model of its role, and keep the answers as an observation."""
    from evals.drift.canaries import load_canaries
    from evals.drift.observation import folder, is_name, kept, load, save
    from evals.drift.observe import Observer
    from rag.errors import ConfigError
    from rag.settings import load_settings

    if name and not is_name(name):
        raise ConfigError(f"--name is '{clean(name)[:60]}'", expected="a letter, then letters, digits, . _ or -",
                          remedy="choose another; 'latest' and 'oldest' are taken")  # fmt: skip
    settings, canaries = load_settings(), load_canaries(file)
    if out and out.exists():
        load(out)  # what is there is replaced, if it is an observation
    if name and any(one.name == name for one in kept(settings)):
        complain(f"'{name}' means these answers from now on; the earlier ones by their id: plumb eval canary list")
    observer = Observer(settings, canaries, temperature=temperature, max_tokens=max_tokens)
    for done in _followed(observer.observe(repeat=repeat, name=name)):
        path = out or folder(settings) / f"{done.id}.json"
        save(done, path)
        if as_json:
            print_json({**asdict(done), "path": str(path)})
        else:
            _print_observation(done, path)
    if any(said.error for said in done.answers):
        raise typer.Exit(1)


@canary_app.command("list")
def list_kept(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List the observations that are kept, oldest first."""
    from evals.drift.compare import side_of
    from evals.drift.observation import kept
    from rag.settings import load_settings

    sides = [side_of(one) for one in kept(load_settings())]
    if as_json:
        print_json([asdict(side) for side in sides])
        return
    if not sides:
        console().print("none yet; 'plumb eval canary run FILE' makes one")
    for side in sides:
        models = ", ".join(side.models)
        failed = f", {side.failed} failed" if side.failed else ""
        line = f"{side.id}  {side.name or '-'}  {number_of('answer', side.asked)}{failed}  {models}"
        console().print(clean(line), markup=False, soft_wrap=True)


def drift(  # noqa: PLR0913, PLR0917 - a command's options
    context: typer.Context,
    reference: Annotated[str, typer.Argument(help="A file, a name, an id (or its beginning), 'oldest'.")] = "oldest",
    now: Annotated[str, typer.Argument(help="Another one, or 'latest'.")] = "latest",
    live: Annotated[
        str, typer.Option(metavar="7d|DATE", help="Compare what people asked since then with as long before.")
    ] = "",
    model: Annotated[str, typer.Option(metavar="NAME", help="With --live: of a model so called, or in part.")] = "",
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Take the prompts of both as samples of one kind; finds less.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the report as Markdown.")] = False,
) -> None:
    """Tell what changed between two observations; exit code 0: nothing, 1: something, 3: could not find out."""
    from evals.drift.compare import EXIT_CODES
    from evals.drift.report import draw_report, markdown
    from rag.settings import load_settings

    if as_json:
        refuse_beside("--json", context, ["as_markdown"])
    if live:
        refuse_beside("--live", context, ["reference", "now", "unpaired"])
    else:
        refuse_without("--live", context, ["model"])
    settings = load_settings()
    if live:
        report = _live(settings, live, model)
    else:
        report = _compared(settings, reference, now, paired=False if unpaired else None)
    if as_json:
        print_json({**asdict(report), "exit_code": EXIT_CODES[report.outcome]})
    elif as_markdown:
        console().print(markdown(report), markup=False, soft_wrap=True)
    else:
        draw_report(console(), report)
    if code := EXIT_CODES[report.outcome]:
        raise typer.Exit(code)


def _compared(settings: Settings, reference: str, now: str, *, paired: bool | None) -> Report:
    from evals.drift.compare import compare
    from evals.drift.looks import look
    from evals.drift.observation import find, kept

    known = kept(settings)
    after = find(now, known)
    # The oldest and the latest are those of the same canaries.
    same = [one for one in known if one.source == after.source] or known
    before = find(reference, same if reference == "oldest" else known)
    _refuse_itself(before, after)
    embedder = _embedder(settings)
    number = look(settings, before.id, after.id)
    report = compare(before, after, embedder=embedder, look=number, paired=paired)
    between = [one for one in same if before.started < one.started < after.started]
    return _dated(report, before, [*between[-MOST_BETWEEN:], after], embedder) if report.fired and between else report


def _refuse_itself(before: Observation, after: Observation) -> None:
    from rag.errors import InputError

    if before.id == after.id:
        raise InputError(
            f"{before.id} would be compared with itself",
            expected="two observations",
            remedy="ask the canaries again: plumb eval canary run FILE",
        )


def _dated(report: Report, before: Observation, later: Sequence[Observation], embedder: Embedder | None) -> Report:
    """The report with the time since when its largest change is there."""
    from evals.drift.compare import in_pairs
    from evals.drift.signals import signals
    from evals.drift.since import since
    from evals.drift.unit import units

    needs = all(signal.name in ("meaning", "same prompt") for signal in report.fired)
    name = next((one.name for one in report.fired if needs or one.name not in ("meaning", "same prompt")), "")
    first = units(before, embedder if needs else None)
    sizes, moments = [0.0], [before.started]
    for one in later:
        found, _ = signals(*in_pairs(first, units(one, embedder if needs else None)), paired=True, draws=1, only=[name])
        if size := next((signal for signal in found if signal.name == name), None):
            sizes.append(size.effect)
            moments.append(one.started)
    return replace(report, since=since(moments, sizes)) if len(moments) > 1 else report


def _live(settings: Settings, told: str, model: str) -> Report:
    from evals.drift.live import answers, compare_live
    from evals.drift.looks import look
    from rag.commands.moments import moment
    from rag.observe.spool import open_spool

    now, spool = time.time(), open_spool(settings)
    begin = moment(told, option="--live") or now
    before = answers(spool, since=begin - (now - begin), until=begin, model=model)
    after = answers(spool, since=begin, until=now, model=model)
    # Every run looks at other answers, so every run is another look; they are counted by month.
    number = look(settings, f"live {time.strftime('%Y-%m', time.gmtime(now))}", f"{now:.0f}")
    return compare_live(before, after, embedder=_embedder(settings), look=number)


def _embedder(settings: Settings) -> Embedder | None:
    """The project's embedder; None, with a word, where it can't be had: then meaning is not compared."""
    from rag.embed import make_embedder
    from rag.errors import PlumbError

    try:
        return make_embedder(settings)
    except PlumbError as error:
        complain(f"warning: meaning is not compared: {error}")
        return None


def _followed(events: Iterable[Started | Asked | Observation]) -> Iterator[Observation]:
    """Show the progress, and yield the observation as soon as there is one: an error may still follow."""
    from rich.progress import Progress

    from evals.drift.observation import Observation
    from evals.drift.observe import Started

    screen = console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("asking", total=None)
        for event in events:
            if isinstance(event, Observation):
                yield event
            elif isinstance(event, Started):
                bar.update(task, total=event.asks)
            else:
                bar.update(task, advance=1)


def _print_observation(done: Observation, path: Path) -> None:
    from evals.drift.compare import side_of
    from evals.drift.unit import units

    side, show = side_of(done), _printer()
    models = ", ".join(f"{model} × {count}" for model, count in side.models.items())
    show(f"{number_of('canary', len(done.canaries)).replace('canarys', 'canaries')}, "
         f"{number_of('answer', side.asked - side.failed)} by {models}")  # fmt: skip
    for unit in units(done, None):
        if unit.shares.get("readable", 1) < 1 or unit.shares.get("right", 1) < 1:
            word = "could not be read" if unit.shares["readable"] < 1 else "not right"
            show(f"{unit.id}  {word}: {' '.join(unit.text.split())[:90]}")
    for said in done.answers:
        if said.error:
            show(f"{said.canary}  failed: {said.error}")
    show(f"kept in {path}" + (f" as '{done.name}'" if done.name else ""))


def _printer() -> Callable[[str], None]:
    screen = console()
    return lambda line: screen.print(clean(line), markup=False, soft_wrap=True)
