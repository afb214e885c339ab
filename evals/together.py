"""Options that mean something only with another one, or only without it: refused, where they would be ignored."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from rag.errors import ConfigError

# What click calls the source of a value that somebody typed.
TYPED = "COMMANDLINE"


def refuse_without(partner: str, context: typer.Context, names: Sequence[str]) -> None:
    """Raise ConfigError if one of these parameters was typed, which mean nothing without the partner."""
    for option in _typed(context, names):
        raise ConfigError(
            f"{option} without {partner}",
            expected=f"{partner} beside it",
            remedy=f"add {partner}, or leave {option} out",
        )


def refuse_beside(other: str, context: typer.Context, names: Sequence[str]) -> None:
    """Raise ConfigError if one of these parameters was typed, which mean nothing beside the other one."""
    for option in _typed(context, names):
        raise ConfigError(f"{option} beside {other}", expected="one of them", remedy=f"leave {option} or {other} out")


def _typed(context: typer.Context, names: Sequence[str]) -> list[str]:
    """Those of the parameters that stand on the command line, as they are written there."""
    written = {one.name: one.opts[0] for one in context.command.params}
    sources = ((written[name], context.get_parameter_source(name)) for name in names)
    return [
        name if name.startswith("-") else name.upper() for name, source in sources if source and source.name == TYPED
    ]
