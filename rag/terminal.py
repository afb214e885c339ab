"""What every command does with the terminal: its console, its errors, its JSON."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Control characters of a document must not reach the terminal: they can move the cursor or set its title.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# Columns of what has no edge.
UNBOUNDED = 100_000


def clean(text: str) -> str:
    """A text without control characters."""
    return CONTROL.sub("", text)


def in_line(text: str) -> str:
    """A name without control characters, in one line: a file may be called as it likes."""
    return clean(" ".join(text.splitlines()))


def number_of(noun: str, number: int) -> str:
    """`1 chunk`, `2,000 chunks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def console(*, stderr: bool = False) -> Console:
    """A console that drops colours where they are unwanted: NO_COLOR, --no-color, or no terminal.

    What goes to a file or another program is not broken into lines, so that they can search it.
    """
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = UNBOUNDED
    return made


def forgive_encodings() -> None:
    """Replace what can't be encoded or decoded on the standard streams instead of failing."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"plumb: {clean(' '.join(message.split()))}", file=sys.stderr)  # noqa: T201


def print_json(value: Any) -> None:
    """A value as JSON on stdout."""
    sys.stdout.write(json_text(value))


def json_text(value: Any) -> str:
    """A value as JSON, indented, readable in every language; control characters are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def show_warnings() -> None:
    """Let warnings, our own and those of our dependencies, through as one line each."""
    warnings.showwarning = lambda message, *_place: complain(f"warning: {message}")
    logging.getLogger("plumbline").addHandler(_Complaints())


class _Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(f"warning: {record.getMessage()}")
