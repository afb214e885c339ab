"""plumb init and plumb config."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rag.terminal import console, print_json

config_app = typer.Typer(help="The settings in force.", no_args_is_help=True)


class Profile(StrEnum):
    """Which models a new project starts with."""

    local = "local"
    openai = "openai"
    ollama = "ollama"
    vllm = "vllm"


def init(
    profile: Annotated[Profile, typer.Option(help="Which models to start with.")] = Profile.local,
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a config file that is there.")] = False,
) -> None:
    """Write a commented plumbline.toml."""
    from rag.durable import replace_text
    from rag.errors import ConfigError
    from rag.profiles import config_text
    from rag.settings import CONFIG_NAME

    file = folder / CONFIG_NAME
    if file.exists() and not force:
        raise ConfigError(
            f"{file} is there already", expected="a folder without one", remedy="use --force to replace it"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(file, config_text(profile.value))
    except OSError as error:
        raise ConfigError(
            f"can't write {file}: {error.strerror}", expected="a writable folder", remedy="name another folder"
        ) from None
    console().print(f"wrote {file}. Next: plumb doctor, then plumb ingest PATH", markup=False, soft_wrap=True)


@config_app.command("show")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the settings in force: defaults, file and variables; secrets are never shown."""
    from rag.settings import load_settings, shown

    values = shown(load_settings())
    if as_json:
        print_json(values)
        return
    for line in _lines(values):
        console().print(line, markup=False, soft_wrap=True)


def _lines(values: dict[str, object], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            lines += _lines(value, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key} = {value!r}" if isinstance(value, str) else f"{prefix}{key} = {value}")
    return lines
