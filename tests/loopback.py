"""Servers of tests on the loopback."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """A server that keeps what a test tells it in `fake`, which its handler reads."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler], fake: Any) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), handler)
        self.fake = fake

    def handle_error(self, *args: Any) -> None:
        """Say nothing: clients that hang up are what some tests are about."""


@contextmanager
def served(handler: type[BaseHTTPRequestHandler], fake: Any, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that listens until the end of the block; then `fake.released` is set."""
    server = Server(handler, fake)
    server.socket = tls.wrap_socket(server.socket, server_side=True) if tls else server.socket
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
