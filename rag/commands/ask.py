"""plumb search, ask and chat."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.scope import As, Where, scope_of
from rag.terminal import console, print_json

if TYPE_CHECKING:
    from rag.engine import Engine, Event
    from rag.settings import Settings
    from rag.types import Answer, Turn

# What is read from standard input at most; the limit of a question is a setting.
STDIN_CHARS = 1_000_000

Question = Annotated[str, typer.Argument(help="The question; '-' reads it from standard input.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Find its trace by this tag; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def search(  # noqa: PLR0913, PLR0917 - a command's options
    question: Question,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 5,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each stage's score and place, and what was left out.")
    ] = False,
    reader: As = None,
    where: Where = None,
    as_json: AsJson = False,
) -> None:
    """Find passages, without asking a chat model."""
    from rag.search import Searcher
    from rag.settings import load_settings
    from rag.views import found_view, hit_view

    scope = scope_of(reader, where)
    searcher = Searcher.from_settings(load_settings())
    found = searcher.find(_text(question), limit=limit, scope=scope)
    if as_json:
        print_json(found_view(found) if explain else [hit_view(hit) for hit in found.hits])
        return
    from rag.drawing import draw_found, draw_nothing

    if found.hits:
        draw_found(console(), found, explain=explain)
    else:
        draw_nothing(console(), chunks=searcher.index.store.count())


def ask(question: Question, reader: As = None, where: Where = None, tag: Tag = None, as_json: AsJson = False) -> None:
    """Answer a question, with checked citations."""
    from rag.search import check_question
    from rag.settings import load_settings

    settings, scope = load_settings(), scope_of(reader, where)
    asked = check_question(_text(question), max_chars=settings.limits.question_chars)
    engine = _engine(settings)
    if as_json:
        from rag.views import answer_view

        answer = engine.ask(asked, tags=tag or (), scope=scope)
        print_json(answer_view(answer))
    else:
        _show(engine.stream(asked, tags=tag or (), scope=scope))
    _deliver(engine)


def chat(reader: As = None, where: Where = None, tag: Tag = None) -> None:
    """Hold a conversation in the terminal; an empty line or Ctrl-D ends it."""
    from rag.settings import load_settings

    scope = scope_of(reader, where)
    engine = _engine(load_settings())
    history: list[Turn] = []
    from rag.errors import PlumbError
    from rag.observe.ship import start_background
    from rag.terminal import complain
    from rag.types import Turn as Said

    start_background(engine.spool, engine.settings)
    session_id = uuid.uuid4().hex
    while question := _prompt():
        try:
            answer = _show(engine.stream(question, history=history, session_id=session_id, tags=tag or (), scope=scope))
        except PlumbError as error:
            complain(str(error))
            continue
        history.append(Said(question=question, answer=answer.text, readers=answer.readers))
    _deliver(engine)


def _engine(settings: Settings) -> Engine:
    from rag.engine import Engine

    engine = Engine.from_settings(settings)
    engine.warm()
    return engine


def _text(question: str) -> str:
    return sys.stdin.read(STDIN_CHARS) if question == "-" else question


def _prompt() -> str:
    try:
        return console().input("\n[bold]>[/bold] ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _show(events: Iterator[Event]) -> Answer:
    from rag.drawing import draw_answer, draw_stream

    screen = console()
    answer = draw_stream(screen, events)
    draw_answer(screen, answer)
    return answer


def _deliver(engine: Engine) -> None:
    from rag.observe.ship import ship_detached

    ship_detached(engine.settings)
