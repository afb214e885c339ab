"""A proxy in front of the page, as one that has signed a visitor in: it adds headers to every connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

END = b"\r\n\r\n"


@contextmanager
def proxied(port: int, headers: Mapping[str, str]) -> Iterator[str]:
    """The address of a proxy for a port of this machine; the first request of a connection gets the headers.

    A browser's websocket, over which the page works, is a connection of its own.
    """
    added = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, port, added), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _serve(listener: socket.socket, port: int, added: bytes) -> None:
    with suppress(OSError):
        while True:
            visitor, _ = listener.accept()
            threading.Thread(target=_connect, args=(visitor, port, added), daemon=True).start()


def _connect(visitor: socket.socket, port: int, added: bytes) -> None:
    with visitor, socket.create_connection(("127.0.0.1", port)) as page, suppress(OSError):
        head = b""
        while END not in head:
            head += visitor.recv(65536) or END
        first, _, rest = head.partition(b"\r\n")
        page.sendall(first + b"\r\n" + added + rest)
        threading.Thread(target=_pass, args=(page, visitor), daemon=True).start()
        _pass(visitor, page)


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
