"""plumb doctor: every part checked, each failure with its remedy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from rag.errors import ConfigError, PlumbError
from rag.terminal import clean, console, number_of, print_json

if TYPE_CHECKING:
    from rag.roles import ChatRole
    from rag.settings import Settings

# The model has to say one word only: this bounds what a check costs, reasoning included.
PROBE_TOKENS = 300
Row = dict[str, object]


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check every part: settings, models, index, traces, Langfuse."""
    from rag.settings import load_settings

    rows = [_checked("settings", _settings)]
    if rows[0]["ok"]:
        settings = load_settings()
        rows += [_checked(name, partial(check, settings)) for name, check in PARTS.items()]
        rows += _chat_rows(settings)
        rows += [_checked("strategy", partial(_strategy, settings))] if settings.generate.strategy != "first" else []
        rows += [_checked(name, partial(check, settings)) for name, check in RECORDS.items()]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            mark, colour = ("✓", "green") if row["ok"] else ("✗", "red")
            console().print(f"[{colour}]{mark}[/{colour}] {row['part']:<10}", end="")
            console().print(clean(str(row["message"])), markup=False, soft_wrap=True)
    if not rows[0]["ok"]:
        raise typer.Exit(ConfigError.exit_code)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _checked(part: str, check: Callable[[], str]) -> Row:
    try:
        return {"part": part, "ok": True, "message": check()}
    except PlumbError as error:
        return {"part": part, "ok": False, "message": str(error)}
    except Exception as error:  # noqa: BLE001 - a doctor must not fall ill
        return {"part": part, "ok": False, "message": f"unexpected {type(error).__name__}: {error}"}


def _settings() -> str:
    import os

    from rag.settings import find_config, load_settings

    settings = load_settings()
    return f"{find_config() or 'defaults, no plumbline.toml'}; config {settings.config_hash()}" + (
        "" if os.environ.get("PLUMB_CONFIG") or find_config() else " ('plumb init' writes one)"
    )


def _embed(settings: Settings) -> str:
    from rag.embed import make_embedder

    embedder = make_embedder(settings)
    width = embedder.embed(["a probe"]).shape[1]
    return f"{embedder.name}: {width} dimensions"


def _index(settings: Settings) -> str:
    from rag.errors import StoreError
    from rag.search import Searcher

    index = Searcher.from_settings(settings).index
    count = index.store.count()
    if not count:
        raise StoreError("the index is empty", expected="documents in it", remedy="fill it: plumb ingest PATH")
    return f"{settings.store.kind} store, collection {index.name}: {number_of('chunk', count)}"


def _chat_rows(settings: Settings) -> list[Row]:
    """A row for each model that may play a role, and for a rule."""
    from rag.roles import CHAT_ROLES, RULES

    named = [(role, name) for role in CHAT_ROLES for name in settings.roles.candidates(role) or (RULES[role],)]
    return [_checked(role, partial(_chat, settings, role, name)) for role, name in named]


def _chat(settings: Settings, role: ChatRole, name: str) -> str:
    from rag.budget.purse import Purses
    from rag.llm import make_chains, pinned
    from rag.llm.protocol import Sampling, complete
    from rag.types import Message

    alone = settings.roles.model_copy(update={role: name})
    llm = make_chains(settings.model_copy(update={"roles": alone}), role).get(role)
    if llm is None:
        return f"{name}, no model"
    prompt = [Message(role="user", content="Say: ready")]
    paid = pinned(llm, Purses(settings).purse())
    generation = complete(paid, prompt, Sampling(temperature=0, max_tokens=PROBE_TOKENS))
    return f"{name}: answered in {generation.total_ms / 1000:.1f} s as {generation.resolved_model}"


def _strategy(settings: Settings) -> str:
    """Only of a strategy that chooses: it needs models to choose between."""
    from rag.strategy import require_several

    models = settings.roles.candidates("answer")
    require_several(settings.generate.strategy, models)
    return f"{settings.generate.strategy} of {', '.join(models)}"


def _traces(settings: Settings) -> str:
    from rag.observe.spool import open_spool
    from rag.types import Feedback

    spool = open_spool(settings)
    spool.as_kept(Feedback(trace_id="", comment="a"))  # loads what masks it, where that is a model
    found = spool.progress()
    told = [f"{one.waiting} wait for {one.destination}, {one.refused} refused" for one in found]
    return f"{settings.data_path / 'traces.db'}: {'; '.join(told) or 'delivered nowhere'}"


def _langfuse(settings: Settings) -> str:
    from rag.observe.account import account

    target = account(settings)
    if target is None:
        keys = f"{settings.langfuse.public_key_env} and {settings.langfuse.secret_key_env}"
        return f"off; {keys} turn it on"
    from rag.observe.langfuse import Langfuse

    with Langfuse(target) as langfuse:
        return f"{target.host}: project {langfuse.project()}"


def _otlp(settings: Settings) -> str:
    if not settings.otlp.endpoint.strip():
        return "off; otlp.endpoint turns it on"
    from rag.observe.otlp import Otlp

    with Otlp(settings.otlp) as server:
        server.check()
        return f"{server.where()} takes traces"


PARTS: dict[str, Callable[[Settings], str]] = {
    "embed": _embed,
    "index": _index,
}
RECORDS: dict[str, Callable[[Settings], str]] = {
    "traces": _traces,
    "langfuse": _langfuse,
    "otlp": _otlp,
}
