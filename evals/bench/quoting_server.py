"""A chat server for benchmarks and tests: it answers after a while with the sentence that fits the question best.

It speaks the OpenAI protocol on the loopback. `python -m evals.bench.quoting_server DELAY_S` runs it in a process of
its own, until its input ends; its first line tells the address.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from evals.bench.project import HANDBOOK, new_project
from ingest.pipeline import ingest
from rag.engine import Engine
from rag.llm.protocol import Sampling, complete
from rag.llm.scripted import ScriptedLLM
from rag.profiles import PROFILES
from rag.settings import CONFIG_NAME
from rag.types import Generation, Message


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # As many may come at once as a benchmark has threads; the usual 5 would have the others knock again after 1 s.
    request_queue_size = 128

    def __init__(self, delay_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay_s = delay_s
        self.model = ScriptedLLM("scripted:quote", script="quote", root=Path())

    def handle_error(self, *args: Any) -> None:
        """Say nothing: clients may hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # A client keeps its connections.
    protocol_version = "HTTP/1.1"
    # One packet an answer: the kernel is not to wait for the acknowledgement of the headers.
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        messages = [Message(role=each["role"], content=each["content"]) for each in request["messages"]]
        time.sleep(self.server.delay_s)
        body = _body(complete(self.server.model, messages, Sampling(temperature=0, max_tokens=1000)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _body(generation: Generation) -> bytes:
    """A completion word by word, with its usage."""
    deltas = [{"content": piece} for piece in generation.text.split(" ")]
    spaced = [{"content": f" {each['content']}"} if at else each for at, each in enumerate(deltas)]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta} for delta in spaced]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    usage = {"prompt_tokens": generation.usage.prompt, "completion_tokens": generation.usage.completion}
    events: list[dict[str, Any]] = [{"choices": [choice]} for choice in choices]
    return b"".join(_frame(event) for event in [*events, {"choices": [], "usage": usage}]) + b"data: [DONE]\n\n"


def _frame(event: dict[str, Any]) -> bytes:
    told = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "quoting", **event}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


@contextmanager
def quoting_server(*, delay_s: float) -> Iterator[str]:
    """The base URL of one in a process of its own, which ends with the block."""
    command = [sys.executable, "-m", __name__, str(delay_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout  # noqa: S101 - it is a pipe
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main(arguments: Sequence[str]) -> None:
    """Serve until the input ends."""
    server = _Server(float(arguments[0]))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])


def quoting_engine(folder: Path, url: str) -> Engine:
    """An engine over the handbook whose model is behind the URL, else with the settings of the profile 'vllm'."""
    new_project(folder)
    chosen = {**PROFILES["vllm"], "roles.answer": '"quoting:quote"', "providers.quoting.base_url": f'"{url}"'}
    (folder / CONFIG_NAME).write_text("".join(f"{key} = {value}\n" for key, value in chosen.items()))
    settings = new_project(folder)
    list(ingest([HANDBOOK], settings=settings))
    return Engine.from_settings(settings)
