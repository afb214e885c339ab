"""The front door: `plumb`. Mounts every package's commands; nothing imports it."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from evals.cli import app as eval_app
from evals.export_cli import export
from evals.index_cli import compare
from evals.promote_cli import promote
from evals.tune_cli import tune
from ingest.cli import ingest
from ingest.index_cli import app as index_app
from ingest.library_cli import app as library_app
from rag.commands.ask import ask, chat, search
from rag.commands.budget import budget
from rag.commands.doctor import doctor
from rag.commands.feedback import feedback
from rag.commands.models import app as models_app
from rag.commands.project import config_app, init
from rag.commands.prompts import app as prompts_app
from rag.commands.traces import traces
from rag.commands.triage import triage
from rag.errors import PlumbError
from rag.terminal import complain, forgive_encodings, show_warnings
from rag.version import code_version
from ui.cli import ui

# The exit code of a command that Ctrl-C ended, and the library that has a cluster to take down then.
INTERRUPTED = 130
CLUSTER = "ray"

app = typer.Typer(
    name="plumb",
    help="Answers over your documents, with citations that were checked.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (init, ingest, search, ask, chat, ui, tune, promote, traces, feedback, triage, export, budget, doctor):
    app.command()(command)
app.add_typer(models_app, name="models")
app.add_typer(prompts_app, name="prompts")
index_app.command()(compare)
app.add_typer(library_app, name="library")
app.add_typer(index_app, name="index")
app.add_typer(eval_app, name="eval")
app.add_typer(config_app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"plumb {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Optional[Path], typer.Option(help="The config file; default: the nearest plumbline.toml upwards.")  # noqa: UP045
    ] = None,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; the variable NO_COLOR does the same.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - the callback of the option does it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command; they travel by environment, so that child processes share them."""
    if config:
        os.environ["PLUMB_CONFIG"] = str(config.absolute())
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if debug:
        os.environ["PLUMB_DEBUG"] = "1"


def main() -> None:
    """Run a command line; every error becomes one line on stderr and an exit code (1 failed, 2 usage)."""
    forgive_encodings()
    show_warnings()
    try:
        _run()
    except SystemExit as end:
        if end.code != INTERRUPTED or CLUSTER in sys.modules:
            raise
    except Exception as error:
        if os.environ.get("PLUMB_DEBUG"):
            raise
        sys.exit(_told(error))
    else:
        return
    _end_at_once(INTERRUPTED)


def _end_at_once(code: int) -> NoReturn:
    """End without waiting for native threads: a local model would first read its batch of the prompt, for seconds.

    Nor could they be ended: Python would, and code in C++ takes that for an exception that somebody swallowed.
    """
    # An answer that was being drawn is held by the frames of the interrupt: closing it keeps its trace.
    gc.collect()
    sys.stderr.flush()
    os._exit(code)


def _told(error: Exception) -> int:
    """Tell an error on stderr; returns the exit code."""
    if isinstance(error, PlumbError):
        complain(str(error))
        return error.exit_code
    if isinstance(error, OSError):
        # What is left in the output's buffer has nowhere to go, and Python would try once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # a reader that has gone (plumb traces | head) is no complaint
            complain(f"the system refused: {error}; check the disk and its rights")
        return 1
    complain(f"unexpected {type(error).__name__}: {error}; this is a defect of plumb: --debug shows where")
    return 1


def _run() -> None:
    try:
        app(prog_name="plumb")
    finally:
        sys.stdout.flush()


if __name__ == "__main__":
    main()
