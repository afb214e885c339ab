"""plumb feedback: what people say of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rag.commands.scope import As
from rag.terminal import clean, console, print_json

if TYPE_CHECKING:
    from rag.types import Feedback


def feedback(  # noqa: PLR0913, PLR0917
    trace: Annotated[str, typer.Argument(metavar="ID", help="The trace of an answer; a few digits are enough.")],
    up: Annotated[Optional[bool], typer.Option("--up/--down", help="The thumb.")] = None,  # noqa: UP045
    reason: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            help="What is wrong: wrong, not-in-sources, outdated, incomplete, off-topic, too-slow, unsafe; repeatable."
        ),
    ] = None,
    comment: Annotated[Optional[str], typer.Option(help="A comment; '' takes it back.")] = None,  # noqa: UP045
    correction: Annotated[
        Optional[str], typer.Option(help="The answer that would have been right; '' takes it back.")  # noqa: UP045
    ] = None,
    citation: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="N:up|down", help="A thumb for a citation; repeatable."),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take everything back.")] = False,
    readers: As = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what an answer was worth, or show what was said of it; what is not named stays as it was."""
    from rag.commands.scope import scope_of
    from rag.feedback import rate
    from rag.observe.ship import ship_detached
    from rag.observe.spool import open_spool
    from rag.settings import load_settings
    from rag.types import Feedback

    settings = load_settings()
    spool, scope = open_spool(settings), scope_of(readers, None)
    trace_id = spool.trace(trace).id
    said = next((one for one in spool.feedback(trace_id) if one.user == scope.user), Feedback(trace_id=trace_id))
    wanted = Feedback(trace_id=trace_id) if withdraw else said
    wanted = _with_thumbs(wanted, up, citation or [])
    wanted = _with_words(wanted, reason, comment, correction)
    if withdraw or wanted != said:
        rate(spool, wanted, scope, max_chars=settings.limits.feedback_chars)
        ship_detached(settings)
    _show(spool.feedback(trace_id), as_json=as_json)


def _with_thumbs(said: Feedback, up: bool | None, citation: Sequence[str]) -> Feedback:
    thumbs = {**said.citations, **dict(_thumb(one) for one in citation)}
    return replace(said, up=said.up if up is None else up, citations=thumbs)


def _with_words(said: Feedback, reason: Sequence[str] | None, comment: str | None, correction: str | None) -> Feedback:
    from rag.feedback import checked_reason

    return replace(
        said,
        reasons=said.reasons if reason is None else tuple(map(checked_reason, reason)),
        comment=said.comment if comment is None else comment.strip(),
        correction=said.correction if correction is None else correction.strip(),
    )


def _thumb(told: str) -> tuple[int, bool]:
    from rag.errors import ConfigError
    from rag.feedback import THUMBS

    marker, _, thumb = told.partition(":")
    if not marker.isdecimal() or thumb not in THUMBS.values():
        raise ConfigError(
            f"--citation is '{told[:40]}'",
            expected="the number of a citation and a thumb",
            remedy="write it as 2:up or 2:down",
        )
    return int(marker), thumb == "up"


def _show(said: Sequence[Feedback], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in said])
        return
    from rag.feedback import told

    for one in said:
        console().print(clean(told(one)), markup=False, soft_wrap=True)
    if not said:
        console().print("Nobody says anything of this answer.")
