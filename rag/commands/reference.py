"""`python -m rag.commands.reference [FOLDER]`: write docs/commands.md and docs/configuration.md, which are computed.

The help of a command is taken from the real command line, in a process of its own: nothing imports the front door.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from inspect import cleandoc
from itertools import groupby
from pathlib import Path
from typing import Any

from rag.roles import CandidateSettings
from rag.settings import BUILT_IN_PROVIDERS, ENV_PREFIX, Provider, Settings, documented

HEAD = ("| key | default | meaning | variable |", "|---|---|---|---|")
GENERATED = "<!-- Computed: `make docs` writes this page, and the test suite compares it. -->\n"
WIDTH = "80"
COMMANDS_HEAD = f"""\
# Commands

{GENERATED}
What `plumb COMMAND --help` prints, without its frames. Exit codes: 0 fine, 1 failed, 2 configuration or usage.
An error is one line on stderr: what was seen, what was expected, what to do. Where a command's own words are wrong, its
usage stands above it.
"""
SETTINGS_HEAD = f"""\
# Settings

{GENERATED}
Settings come from `plumbline.toml` (the nearest one upwards, or the file named by `--config` or `PLUMB_CONFIG`) and
from variables. A variable wins over the file. An unknown key or variable is an error. Relative paths start at the
folder of the file. A secret is never a setting: a setting names the variable that holds it.

`plumb init` writes a file with every setting as a comment, `plumb config show` prints what is in force.
"""
PROVIDERS = f"""
## [providers.NAME]

{Provider.__doc__} Models on it are called `NAME:model`. A table of the same name replaces a built-in one:
{{built_in}}.
"""


CANDIDATES = """
## [candidates."PROVIDER:MODEL"]

Limits and prices of a chat model, wherever it stands in the chain of a role. Prices are in a currency of your choice.
The local model has other defaults: it may take 600 s to its first token and 3600 s in all, is not asked again, has one
place, and costs nothing. LlamaIndex classes and scripted models are not asked again either. As a variable all tables
are one JSON object: `PLUMB_CANDIDATES='{"openai:gpt-5-mini": {"first_token_s": 10}}'`.
"""


def commands_page() -> str:
    """The help of every command, as Markdown."""
    top = _help(())
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_with_children, ((name,) for name in _names(top))))
    pages = [((), top), *(page for pages in found for page in pages)]
    return COMMANDS_HEAD + "".join(f"\n## {_title(path)}\n\n```text\n{text}```\n" for path, text in pages)


def settings_page() -> str:
    """Every setting with its default, meaning and variable, as Markdown."""
    rows = sorted(documented(), key=lambda row: "." in row[0])
    tables = groupby(
        (row for row in rows if row[0] not in ("providers", "candidates")), key=lambda row: row[0].rpartition(".")[0]
    )
    return (
        SETTINGS_HEAD
        + "".join(_table(section, list(group)) for section, group in tables)
        + _providers()
        + _candidates()
    )


def _with_children(path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    text = _help(path)
    return [(path, text), *(((*path, name), _help((*path, name))) for name in _names(text))]


def _help(path: Sequence[str]) -> str:
    plain = {"TYPER_USE_RICH": "0", "COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "rag.cli", *path, "--help"]
    done = subprocess.run(command, env={**os.environ, **plain}, capture_output=True, text=True, check=True)
    return done.stdout.replace("python -m rag.cli", "plumb")


def _names(text: str) -> list[str]:
    _, _, listed = text.partition("\nCommands:\n")
    return re.findall(r"^  ([a-z]+)\b", listed, re.MULTILINE)


def _title(path: Sequence[str]) -> str:
    return " ".join(("plumb", *path))


def _table(section: str, rows: Sequence[tuple[str, str, str]]) -> str:
    about = _about(section)
    title = f"## [{section}]" if section else "## At the top of the file"
    lines = [_row(key, default, why) for key, default, why in rows]
    return "\n".join((f"\n{title}\n", *((about, "") if about else ()), *HEAD, *lines)) + "\n"


def _about(section: str) -> str:
    model: Any = Settings
    for part in section.split(".") if section else ():
        model = model.model_fields[part].annotation
    return cleandoc(model.__doc__ or "") if section else ""


def _providers() -> str:
    known = ", ".join(f"`{name}` ({facts['base_url']})" for name, facts in BUILT_IN_PROVIDERS.items())
    rows = [(f"providers.NAME.{key}", default, why) for key, default, why in documented(Provider)]
    lines = [_row(key, "" if "Undefined" in default else default, why) for key, default, why in rows]
    return "\n".join((PROVIDERS.format(built_in=known), *HEAD, *lines)) + "\n"


def _candidates() -> str:
    whole = f"{ENV_PREFIX}CANDIDATES"
    rows = ((f'candidates."…".{key}', default, why) for key, default, why in documented(CandidateSettings))
    return "\n".join((CANDIDATES, *HEAD, *(_row(*row, variable=whole) for row in rows))) + "\n"


def _row(key: str, default: str, why: str, *, variable: str = "") -> str:
    shown = f"`{default}`" if default else "must be set"
    meaning = why.replace("|", "\\|").replace("<", "&lt;")
    return f"| `{key}` | {shown} | {meaning} | `{variable or ENV_PREFIX + key.upper().replace('.', '__')}` |"


def main(arguments: Sequence[str]) -> None:
    """Write both pages into a folder, docs by default."""
    folder = Path(arguments[0] if arguments else "docs")
    for name, page in (("commands.md", commands_page()), ("configuration.md", settings_page())):
        (folder / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
