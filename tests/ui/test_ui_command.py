"""plumb ui, up to where the server takes over."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable

import pytest

from ui.cli import flags, url


def test_a_busy_port_is_one_clear_line(plumb: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = plumb("ui", "--no-browser", "--port", str(port))
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert len(ran.stderr.strip().splitlines()) == 1
    assert f"127.0.0.1:{port}" in ran.stderr
    assert "--port" in ran.stderr


def test_streamlit_is_told_to_send_nothing_and_show_no_traceback() -> None:
    given = flags("127.0.0.1", 8501, browser=False, upload_mb=7)
    assert "--browser.gatherUsageStats=false" in given
    assert "--client.showErrorDetails=none" in given
    assert "--server.headless=true" in given
    assert "--server.maxUploadSize=7" in given
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
