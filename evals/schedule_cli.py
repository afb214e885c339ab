"""plumb eval schedule: jobs that are done again and again."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from evals.schedule import Event
    from rag.settings import Settings

EXIT_CODES = {"ok": 0, "open": 3, "alarm": 1}


def schedule(
    job: Annotated[str, typer.Argument(help="Do this job now and end, as from cron or in a container.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Do what is due and end.")] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List the jobs: when each was done last, how it ended, when it is due next.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON: with --list a list, else an object a line for each job that ended."),
    ] = False,
) -> None:
    """Do the jobs of the settings when they are due, until Ctrl-C: questions before the gate, canaries, live answers.

    With a job or --once it ends, with the worst of exit code 0 nothing to report, 3 could not tell, 1 look at this.
    """
    from evals.notify import check as check_notify
    from evals.schedule import check
    from rag.settings import load_settings

    _refuse_several(job, once=once, listed=listed)
    settings = load_settings()
    check(settings.jobs)
    if listed:
        _list(settings, as_json=as_json)
        return
    check_notify(settings.notify)
    # As Ctrl-C does, so that what a job started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    levels = {_told(event, as_json=as_json) for event in _events(settings, job, once=once)}
    if "alarm" in levels or "open" in levels:
        raise typer.Exit(EXIT_CODES["alarm" if "alarm" in levels else "open"])


def _refuse_several(job: str, *, once: bool, listed: bool) -> None:
    from rag.errors import ConfigError

    if sum((bool(job), once, listed)) > 1:
        raise ConfigError(
            "more than one of a job, --once and --list", expected="one of them, or none", remedy="leave the others out"
        )


def _events(settings: Settings, job: str, *, once: bool) -> Iterator[Event]:
    from evals.schedule import run_due, run_forever, run_now

    if job:
        return run_now(job, settings)
    return run_due(settings) if once else run_forever(settings)


def _list(settings: Settings, *, as_json: bool) -> None:
    from evals.jobs import SAID
    from evals.schedule import planned

    jobs = planned(settings)
    if as_json:
        print_json([asdict(one) for one in jobs])
        return
    for one in jobs:
        last = f"{_at(one.last.ended)}, {SAID[one.last.level]}" if one.last else "never"
        due = "now" if one.due <= time.time() else _at(one.due)
        line = f"{one.job}  {one.cron}  last {last}; next {due}"
        console().print(clean(line), markup=False, soft_wrap=True)


def _told(event: Event, *, as_json: bool) -> str:
    """Print what happens, as JSON only what ended; returns the level of that, else ''."""
    from evals.schedule import Began, Ended

    match event:
        case Ended(news=news) if as_json:
            told = asdict(event)
            line = json.dumps({**told.pop("news"), **told}, ensure_ascii=False)
            console().print(clean(line), markup=False, soft_wrap=True)
            return news.level
        case Began() if as_json:
            pass
        case Began(job=job, missed=missed):
            again = f", in the place of {missed} that were missed" if missed else ""
            console().print(clean(f"{_now()}  {job} begins{again}"), markup=False, soft_wrap=True)
        case Ended(news=news, untold=untold):
            console().print(clean(f"{_now()}  {news.title}\n{news.text}"), markup=False, soft_wrap=True)
            for problem in untold:
                complain(problem)
            return news.level
        case _:
            console(stderr=True).print(clean(f"{_now()}  next: {event.job} at {_at(event.until)}"), markup=False)
    return ""


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


def _at(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
