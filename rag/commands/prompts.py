"""plumb prompts: the prompts that answer, and those on a Langfuse server."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from rag.prompts import Prompt
    from rag.prompts.server import PromptServer
    from rag.settings import Settings

app = typer.Typer(help="Prompts: which one answers, and those kept in Langfuse.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The prompt: answer, answer-cited, rewrite, ...")]
Label = Annotated[str, typer.Option(help="The label on the server.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the prompts here and on the server, and which version answers."""
    from rag.settings import load_settings

    settings = load_settings()
    rows = [*_local_rows(settings), *_server_rows(settings)]
    if as_json:
        print_json(rows)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("Prompt", "Where", "Version", "Labels", "Answers", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(clean(str(row[key]))) for key in ("name", "where", "version", "labels", "answers")))
    console().print(table)


@app.command()
def diff(name: Name, label: Label = "production", as_json: AsJson = False) -> None:
    """Show what differs between the file and the server's version of a label; exit code 1 where anything does."""
    from rag.settings import load_settings

    settings = load_settings()
    with _server(settings) as server:
        here, there = _lines(_file(settings, name)), _lines(_wanted(server, name, label))
    lines = list(difflib.unified_diff(there, here, f"{name}@{label} on the server", f"{name} here", lineterm=""))
    if as_json:
        print_json({"name": name, "label": label, "differs": bool(lines), "lines": lines})
    else:
        for line in lines:
            console().print(clean(line), markup=False, soft_wrap=True)
    if lines:
        raise typer.Exit(1)


@app.command()
def pull(name: Name, label: Label = "production", as_json: AsJson = False) -> None:
    """Write the server's version of a label to the file in generate.prompts_dir."""
    from rag.durable import replace_text
    from rag.prompts import prompt_text
    from rag.prompts.server import number
    from rag.settings import load_settings

    settings = load_settings()
    file = _own(settings) / f"{name}.md"
    with _server(settings) as server:
        found = _wanted(server, name, label)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, prompt_text(found))
    if as_json:
        print_json({"name": name, "version": number(found), "label": label, "path": str(file)})
        return
    console().print(clean(f"{file}: version {found.version}"), markup=False, soft_wrap=True)


@app.command()
def push(
    name: Name,
    label: Annotated[str, typer.Option(help="A label for it at once.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a new version on the server of the file, or of the shipped prompt, unless the latest is the same."""
    from rag.settings import load_settings

    settings = load_settings()
    with _server(settings) as server:
        version = _pushed(server, _file(settings, name), label)
    if as_json:
        print_json({"name": name, "version": version, "label": label})
        return
    console().print(clean(f"{name}: version {version}{f', {label}' if label else ''}"), markup=False)


def _pushed(server: PromptServer, mine: Prompt, label: str) -> int:
    """The version that has this text: the latest, or a new one."""
    from rag.errors import InputError
    from rag.prompts.server import as_given_back, number

    try:
        latest = server.get(mine.id, label="latest")
    except InputError:
        # One that can't be used here is what a push is to mend.
        latest = None
    if latest is None or latest.messages != as_given_back(mine):
        return server.create(mine, labels=[label] if label else [])
    if label:
        server.label(mine.id, number(latest), label)
    return number(latest)


@app.command()
def label(
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The version's number.")],
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The label that is to point to it.")],
    as_json: AsJson = False,
) -> None:
    """Have a label on the server point to a version: 'production' is what answers."""
    from rag.settings import load_settings

    with _server(load_settings()) as server:
        server.label(name, version, label)
    if as_json:
        print_json({"name": name, "version": version, "label": label})
        return
    console().print(clean(f"{name}@{label}: version {version}"), markup=False)


def _local_rows(settings: Settings) -> list[dict[str, Any]]:
    from rag.prompts import SHIPPED, load_prompt

    own = settings.prompts_path
    names = {file.stem for folder in (own, SHIPPED) if folder and folder.is_dir() for file in folder.glob("*.md")}
    rows = []
    for name in sorted(names):
        is_own = own is not None and (own / f"{name}.md").is_file()
        prompt = load_prompt(name, own=own)
        rows.append(
            {
                "name": name,
                "where": str(own) if is_own else "shipped",
                "version": prompt.version,
                "labels": "",
                "answers": "yes" if name in (settings.generate.prompt, settings.generate.trial_prompt) else "",
            }
        )
    return rows


def _server_rows(settings: Settings) -> list[dict[str, Any]]:
    """What the server has, and which of its labels answers; nothing without its keys, a complaint where it is down."""
    from rag.errors import DeliveryError
    from rag.observe.account import account
    from rag.prompts.managed import managed
    from rag.prompts.server import PromptServer

    target = account(settings)
    if target is None:
        return []
    asked = [managed(told) for told in (settings.generate.prompt, settings.generate.trial_prompt) if told]
    try:
        with PromptServer(target) as server:
            listed = server.listed()
    except DeliveryError as error:
        complain(str(error))
        return []
    rows = []
    for one in listed:
        mine = [wanted for wanted in asked if wanted and wanted.name == one.name]
        rows.append(
            {
                "name": one.name,
                "where": "langfuse",
                "version": ", ".join(map(str, one.versions)),
                "labels": ", ".join(one.labels),
                "answers": ", ".join(wanted.label for wanted in mine),
            }
        )
    return rows


def _own(settings: Settings) -> Path:
    from rag.errors import ConfigError

    if settings.prompts_path is None:
        raise ConfigError(
            "generate.prompts_dir is not set",
            expected="the folder of own prompts",
            remedy='write prompts_dir = "prompts" below [generate]',
        )
    return settings.prompts_path


def _file(settings: Settings, name: str) -> Prompt:
    from rag.prompts import load_prompt

    return load_prompt(name, own=settings.prompts_path)


def _server(settings: Settings) -> PromptServer:
    from rag.errors import ConfigError
    from rag.observe.account import account
    from rag.prompts.server import PromptServer

    target = account(settings)
    if target is None:
        keys = f"{settings.langfuse.public_key_env} and {settings.langfuse.secret_key_env}"
        raise ConfigError("no Langfuse keys are set", expected="a project on a server", remedy=f"set {keys}")
    return PromptServer(target)


def _wanted(server: PromptServer, name: str, label: str) -> Prompt:
    from rag.errors import InputError

    found = server.get(name, label=label)
    if found is None:
        raise InputError(
            f"the server has no prompt '{name}' with the label '{label}'",
            expected="one of its prompts",
            remedy="see 'plumb prompts list'",
        )
    return found


def _lines(prompt: Prompt) -> list[str]:
    """The messages without the head, whose version differs by nature."""
    from rag.prompts.server import as_given_back

    return [line for one in as_given_back(prompt) for line in (f"# {one.role}", *one.content.splitlines(), "")]
