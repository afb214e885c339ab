"""plumb eval schedule: jobs that are done again and again."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import clean, complain, console

if TYPE_CHECKING:
    from evals.schedule import Event

EXIT_CODES = {"ok": 0, "open": 3, "alarm": 1}


def schedule(
    job: Annotated[str, typer.Argument(help="Do this job now and end, as from cron or in a container.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Do what is due and end.")] = False,
) -> None:
    """Do the jobs of the settings when they are due, until Ctrl-C: questions before the gate, canaries, live answers.

    With a job or --once it ends, with the worst of exit code 0 nothing to report, 3 could not tell, 1 look at this.
    """
    from evals.notify import check as check_notify
    from evals.schedule import check, run_due, run_forever, run_now
    from rag.settings import load_settings

    settings = load_settings()
    check(settings.jobs)
    check_notify(settings.notify)
    # As Ctrl-C does, so that what a job started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if job:
        levels = [_told(event) for event in run_now(job, settings)]
    elif once:
        levels = [_told(event) for event in run_due(settings)]
    else:
        levels = []
        for event in run_forever(settings):
            _told(event)
    if "alarm" in levels or "open" in levels:
        raise typer.Exit(EXIT_CODES["alarm" if "alarm" in levels else "open"])


def _told(event: Event) -> str:
    """Print what happens; returns the level of what ended, else ''."""
    from evals.schedule import Began, Ended

    match event:
        case Began(job=job, missed=missed):
            again = f", in the place of {missed} that were missed" if missed else ""
            console().print(clean(f"{_now()}  {job} begins{again}"), markup=False, soft_wrap=True)
        case Ended(news=news, untold=untold):
            console().print(clean(f"{_now()}  {news.title}\n{news.text}"), markup=False, soft_wrap=True)
            for problem in untold:
                complain(problem)
            return news.level
        case _:
            at = datetime.fromtimestamp(event.until).astimezone()
            console(stderr=True).print(clean(f"{_now()}  next: {event.job} at {at:%Y-%m-%d %H:%M}"), markup=False)
    return ""


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
