"""Who asks and where, as options of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rag.types import Scope

As = Annotated[
    list[str] | None,
    typer.Option("--as", metavar="READER", help="Find what 'user:NAME' or 'group:NAME' may read, too; repeatable."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="CONDITION", help="Only where 'team=people', 'year>=2024', 'path=docs/hr'; repeatable."
    ),
]


def scope_of(readers: Sequence[str] | None, where: Sequence[str] | None) -> Scope:
    """The scope that the options tell. Raises InputError for what can't be read."""
    from rag.scope import condition, reading_as
    from rag.types import Scope

    user, groups = reading_as(readers or ())
    return Scope(user=user, groups=groups, where=tuple(map(condition, where or ())))
