"""plumb ui."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from rag.terminal import console

SCRIPT = Path(__file__).with_name("app.py")
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; default: ui.host.")] = "",
    port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, max=65535, help="Port to listen on; default: ui.port."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open the chat in the browser; Ctrl-C ends it."""
    from rag.settings import load_settings

    settings = load_settings()
    address, number = host or settings.ui.host, port or settings.ui.port
    _refuse_busy(address, number)
    console().print(f"chat on {url(address, number)} (Ctrl-C ends it)", markup=False, soft_wrap=True)
    _run(
        [
            sys.executable,
            "-P",
            "-m",
            "streamlit",
            "run",
            str(SCRIPT),
            *flags(address, number, browser=browser, upload_mb=settings.ui.upload_file_mb),
        ]
    )


def url(host: str, port: int) -> str:
    """Where a browser on this machine finds the page."""
    shown = "localhost" if host in WILDCARDS else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def flags(host: str, port: int, *, browser: bool, upload_mb: int) -> list[str]:
    """What Streamlit is told: nothing leaves this machine, no developer's menu, no traceback on the page."""
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": not (browser and _has_screen()),
        "server.showEmailPrompt": False,
        "server.maxUploadSize": upload_mb,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "theme.light.primaryColor": "#1f6f7a",
        "theme.dark.primaryColor": "#4fb3bf",
    }
    return [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]


def _has_screen() -> bool:
    # Without this, Python may start a text browser in the terminal of a server.
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _refuse_busy(host: str, port: int) -> None:
    """Raise ConfigError when the port can't be listened on."""
    from rag.errors import ConfigError

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                # A port that a server left seconds ago is free, and Streamlit takes it as such.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"can't listen on {url(host, port)}: {error.strerror or error}",
            expected="a free port on an address of this machine",
            remedy=f"choose another, for example: plumb ui --port {port + 1 if port < 65535 else 8501}",
        ) from None


def _run(command: list[str]) -> None:
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - no shell; Ctrl-C and signals then reach the server itself
    import subprocess

    raise typer.Exit(subprocess.call(command))
