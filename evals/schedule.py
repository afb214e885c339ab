"""When jobs are due: each once, however many schedulers there are, and once where some times were missed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from croniter import croniter
from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from evals.jobs import Step, news, perform
from evals.notify import Level, News, tell
from rag.durable import replace_text
from rag.errors import ConfigError, StoreError
from rag.sections import Job
from rag.settings import Settings

# Times that went by with nobody there are counted up to this.
MOST_MISSED = 1_000
# Clocks are set and machines sleep: no wait is longer.
LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """What was done last, '' where a job is new. `due` is when it was due, in Unix seconds, as `ended` is."""

    due: float
    ended: float
    level: Level | Literal[""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """A job begins; `missed` of its times went by with nobody there: they are made up for by this once."""

    job: str
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job ended; `untold` says in words who could not be told of it."""

    news: News
    steps: tuple[Step, ...]
    untold: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing is due before that Unix time."""

    until: float
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A job with what was done of it last, None where nothing was yet, and when it is `due`, in Unix seconds.

    A time that went by and was not made up for yet is one that it is due at.
    """

    job: str
    cron: str
    last: Last | None
    due: float


Event = Began | Ended | Waiting
_LAST = TypeAdapter(Last)


def check(jobs: Mapping[str, Job]) -> None:
    """Raise ConfigError for a job that is never due, or has nothing to do."""
    if not jobs:
        raise ConfigError("no jobs are set", expected="a table [jobs.NAME]", remedy="see docs/schedule.md")
    for name, job in jobs.items():
        if not croniter.is_valid(job.cron) or len(job.cron.split()) != 5:
            raise ConfigError(
                f"jobs.{name}.cron is '{job.cron[:40]}'",
                expected="five fields of cron, each in its range, as '0 3 * * *'",
            )
        if not (job.dataset or job.canaries or job.live):
            raise ConfigError(f"jobs.{name} does nothing", expected="a dataset, canaries or live")


def planned(settings: Settings) -> list[Planned]:
    """Every job, in the order of the settings. Raises StoreError."""
    return [_planned(name, job, _last(name, settings)) for name, job in settings.jobs.items()]


def _planned(name: str, job: Job, last: Last | None) -> Planned:
    times = _times(job, last.due) if last else []
    due = times[-1] if times else _next(job)
    return Planned(job=name, cron=job.cron, last=last if last and last.level else None, due=due)


def run_due(settings: Settings) -> Iterator[Began | Ended]:
    """Do every job whose time has come since it was last done; one that is new waits for its next time.

    A job that another process is doing is left to it. Raises StoreError.
    """
    for name, job in settings.jobs.items():
        with _turn(name, settings) as is_mine:
            last = _last(name, settings)
            times = _times(job, last.due) if last else []
            if not is_mine:
                continue
            if last is None:
                _keep(name, settings, Last(due=time.time(), ended=0.0, level=""))
            elif times:
                yield from _done(name, settings, due=times[-1], missed=len(times) - 1)


def run_now(name: str, settings: Settings) -> Iterator[Began | Ended]:
    """Do one job, whenever it is due. Raises ConfigError for an unknown one, StoreError while it is being done."""
    if name not in settings.jobs:
        raise ConfigError(f"there is no job '{name}'", expected=f"one of {', '.join(settings.jobs)}")
    with _turn(name, settings) as is_mine:
        if not is_mine:
            raise StoreError(f"{name} is being done by another process", expected="one at a time", remedy="wait for it")
        yield from _done(name, settings, due=time.time(), missed=0)


def run_forever(settings: Settings) -> Iterator[Event]:
    """Do what is due and wait for the next, without an end."""
    told = None
    while True:
        yield from run_due(settings)
        until, name = min((_next(job), name) for name, job in settings.jobs.items())
        waiting = Waiting(until=until, job=name)
        if waiting != told:
            yield waiting
            told = waiting
        time.sleep(min(max(until - time.time(), 0.5), LONGEST_WAIT_S))


def _done(name: str, settings: Settings, *, due: float, missed: int) -> Iterator[Began | Ended]:
    yield Began(job=name, missed=missed)
    steps = perform(name, settings.jobs[name], settings)
    found = news(name, steps)
    _keep(name, settings, Last(due=due, ended=time.time(), level=found.level))
    yield Ended(news=found, steps=steps, untold=tuple(tell(found, settings.notify)))


def _times(job: Job, after: float) -> list[float]:
    """The times at which it was due since, oldest first; of very many the last ones."""
    now, back = time.time(), croniter(job.cron, _local(time.time() + 1.0))
    found: list[float] = []
    while len(found) < MOST_MISSED and after < (at := back.get_prev(datetime).timestamp()) <= now:
        found.append(at)
    return found[::-1]


def _next(job: Job) -> float:
    return float(croniter(job.cron, _local(time.time())).get_next(datetime).timestamp())


def _local(seconds: float) -> datetime:
    """With the zone, so that a job at three is at three in summer, too."""
    return datetime.fromtimestamp(seconds).astimezone()


@contextmanager
def _turn(name: str, settings: Settings) -> Iterator[bool]:
    """Whether this process alone does the job until the end of the block."""
    lock = FileLock(_path(name, settings).with_suffix(".lock"))
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise StoreError(f"{lock.lock_file}: {error}", expected="a file to lock", remedy="see data_dir") from error
    try:
        yield True
    finally:
        lock.release()


def _last(name: str, settings: Settings) -> Last | None:
    path = _path(name, settings)
    try:
        return _LAST.validate_json(path.read_bytes()) if path.exists() else None
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{path} can't be read: {error}", expected="when the job was last done", remedy="remove the file"
        ) from None


def _keep(name: str, settings: Settings, last: Last) -> None:
    try:
        replace_text(_path(name, settings), json.dumps(asdict(last)))
    except OSError as error:
        raise StoreError(
            f"{_path(name, settings)}: {error}", expected="a place to note it", remedy="data_dir"
        ) from error


def _path(name: str, settings: Settings) -> Path:
    return settings.data_path / "evals" / "jobs" / f"{name}.json"
