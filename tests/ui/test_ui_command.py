"""plumb ui, up to where the server takes over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_project

from ui.cli import flags, url


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = subprocess.run(
            [sys.executable, "-m", "rag.cli", "ui", "--no-browser", "--port", str(port)],
            env={**os.environ, "PLUMB_CONFIG": str(folder / "plumbline.toml")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert len(ran.stderr.strip().splitlines()) == 1
    assert f"127.0.0.1:{port}" in ran.stderr
    assert "--port" in ran.stderr


def test_streamlit_is_told_to_send_nothing_and_show_no_traceback() -> None:
    given = flags("127.0.0.1", 8501, browser=False)
    assert "--browser.gatherUsageStats=false" in given
    assert "--client.showErrorDetails=none" in given
    assert "--server.headless=true" in given
    assert "--server.address=127.0.0.1" in given


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501"),
        ("0.0.0.0", "http://localhost:8501"),
        ("::1", "http://[::1]:8501"),
    ],
)
def test_the_address_for_a_browser(host: str, expected: str) -> None:
    assert url(host, 8501) == expected
