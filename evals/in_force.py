"""Whether a run was asked of the system that answers now."""

from __future__ import annotations

from contextlib import suppress

from evals.answering import answering_hash, differing, then_and_now
from evals.records import Run
from rag.errors import PlumbError
from rag.settings import Settings, shown
from rag.versions import Versions


def trial(settings: Settings, run: Run) -> str:
    """How the run was asked otherwise than the settings and the live index would; '' where it was not.

    A run that does not tell, and a store that is out of reach or set up wrongly, give no reason to say so.
    """
    parts = [*_settings(settings, run), *_index(settings, run)]
    return "; ".join(f"{then}, in force is {now}" for then, now in parts)


def _settings(settings: Settings, run: Run) -> list[tuple[str, str]]:
    if run.answering_hash in ("", answering_hash(settings)):
        return []
    found = differing(run.config, shown(settings))
    return [then_and_now(found) if found else ("asked with a value that is not shown", "another")]


def _index(settings: Settings, run: Run) -> list[tuple[str, str]]:
    live = ""
    with suppress(PlumbError):
        live = Versions(settings).live()
    then, now = f"index {run.index.name}", f"index {settings.store.collection} {live}"
    return [(then, now)] if run.answering_hash and live and then != now else []
