"""Who is told of what a job found: real servers on this machine."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from evals.notify import News, check, tell
from rag.errors import ConfigError
from rag.sections import Notify

Serve = Callable[[socketserver.BaseServer], int]
ALARM = News(job="nightly", level="alarm", title="nightly: look at this", text="lost 12 points")


class Hook(BaseHTTPRequestHandler):
    """Notes what is posted."""

    told: list[dict[str, Any]] = []  # noqa: RUF012
    status = 200

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Mail(socketserver.StreamRequestHandler):
    """Takes every mail."""

    told: list[str] = []  # noqa: RUF012

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                self.told.append("".join(part.decode() for part in iter(self.rfile.readline, b".\r\n")))
            self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 fine\r\n")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on a free port."""
    servers: list[Any] = []

    def start(server: Any) -> int:
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_webhook_and_the_mail_get_it(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    hook, mail = serve(HTTPServer(("127.0.0.1", 0), Hook)), serve(socketserver.TCPServer(("127.0.0.1", 0), Mail))
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{hook}/T0/secret")
    assert tell(ALARM, Notify(webhook_env="HOOK", mail_to=("ada@example.org",), smtp_port=mail)) == []
    assert Hook.told[-1]["text"] == "nightly: look at this\nlost 12 points"
    assert Hook.told[-1]["level"] == "alarm"
    assert "Subject: [plumbline] nightly: look at this" in Mail.told[-1]
    assert "lost 12 points" in Mail.told[-1]


def test_who_can_not_be_told_is_said_without_the_secret(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Hook, "status", 500)
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{serve(HTTPServer(('127.0.0.1', 0), Hook))}/T0/secret")
    problems = tell(ALARM, Notify(webhook_env="HOOK", mail_to=("ada@example.org",), smtp_port=1))
    assert problems[0] == "the webhook answered 500 to nightly"
    assert problems[1].startswith("127.0.0.1 took no mail about nightly: ConnectionRefused")
    assert "secret" not in caplog.text
    assert "secret" not in str(problems)


def test_no_news_is_told_only_where_it_is_wanted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hook, "told", [])
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{serve(HTTPServer(('127.0.0.1', 0), Hook))}/")
    quiet = News(job="nightly", level="ok", title="nightly: nothing to report", text="")
    tell(quiet, Notify(webhook_env="HOOK"))
    assert Hook.told == []
    tell(quiet, Notify(webhook_env="HOOK", always=True))
    assert [told["level"] for told in Hook.told] == ["ok"]


def test_an_address_that_is_not_there_is_told_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    assert tell(ALARM, Notify(webhook_env="NO_SUCH")) == ["nobody was told of nightly: the variable NO_SUCH is not set"]
    with pytest.raises(ConfigError, match="the variable NO_SUCH is not set"):
        check(Notify(webhook_env="NO_SUCH"))
