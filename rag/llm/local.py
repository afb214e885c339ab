"""A verified model file, run by llama.cpp's own server inside this process, on a loopback port with a key."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from rag.errors import ConfigError, ModelError
from rag.llm.protocol import Piece, Sampling, complete
from rag.settings import LocalModels, Provider
from rag.types import Generation, Message
from rag.weights import WEIGHTS, find, require

# llama.cpp's file format.
CHAT_FORMAT = ".gguf"
# Longest wait for the calls to end at the end of the process.
HANG_UP_S = 10.0


class LocalLLM:
    """A local chat model. It is loaded at the first use, or ahead of it by `warm()`."""

    def __init__(self, name: str, *, model: str, folder: Path | None, settings: LocalModels, timeout_s: float) -> None:
        """Find and verify the file; `timeout_s` is the longest silence of a call.

        Raises ConfigError for an unknown model, WeightsError for a missing file.
        """
        self.name = name
        self._model = model
        self._settings = settings
        self._timeout_s = timeout_s
        self._path = require(_chat_model(model), folder=folder)
        self._lock = threading.Lock()
        self._server: Any = None
        self._chat: Any = None
        # Native threads that outlive the interpreter crash it.
        atexit.register(self._stop)

    def warm(self, prefix: Sequence[Message]) -> None:
        """Begin loading in the background, and read the messages that every prompt begins with."""
        threading.Thread(target=self._read, args=(prefix,), daemon=True).start()

    def _read(self, prefix: Sequence[Message]) -> None:
        with suppress(ModelError):  # the question that follows will meet the same error and report it
            complete(self._load(), prefix, Sampling(temperature=0, max_tokens=1))

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Pieces of the answer, then its Generation."""
        for piece in self._load().stream(messages, sampling):
            yield self._named(piece) if isinstance(piece, Generation) else piece

    def _stop(self) -> None:
        with self._lock:
            if self._server is not None:
                _hang_up(self._server.listening_address)
            self._chat = self._server = None

    def _named(self, generation: Generation) -> Generation:
        return replace(generation, resolved_model=self._path.name)

    def _load(self) -> Any:
        with self._lock:
            if self._chat is None:
                from rag.llm.openai import OpenAILLM

                key = secrets.token_hex(16)
                self._server = _start(self._path, key, self._settings)
                server = Provider(
                    base_url=f"{self._server.listening_address}/v1", timeout_s=self._timeout_s, max_retries=0
                )
                self._chat = OpenAILLM(self.name, model=self._model, server=server, api_key=key)
            return self._chat


def _chat_model(name: str) -> str:
    """The name, if it is one of a chat model; raises ConfigError otherwise."""
    if find(name).file.endswith(CHAT_FORMAT):
        return name
    chat = (known.name for known in WEIGHTS.values() if known.file.endswith(CHAT_FORMAT))
    raise ConfigError(
        f"'{name}' is no chat model", expected=f"one of {', '.join(chat)}", remedy="change the role in plumbline.toml"
    )


def _cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _hang_up(address: str) -> None:
    """End the calls that still wait, and let the server notice.

    Its end waits for them while it holds Python's lock, which they need to end: a process would never exit.
    """
    port, until = urlsplit(address).port, time.monotonic() + HANG_UP_S
    with suppress(psutil.Error):
        while (calls := _calls(port)) and time.monotonic() < until:
            for call in calls:
                with suppress(OSError), socket.socket(fileno=os.dup(call.fd)) as ours:
                    ours.shutdown(socket.SHUT_RDWR)
            time.sleep(0.05)


def _calls(port: int | None) -> list[Any]:
    """Both ends of the connections to our server."""
    connections = psutil.Process().net_connections(kind="tcp")
    return [each for each in connections if each.raddr and port in (each.laddr.port, each.raddr.port)]


def _start(path: Any, key: str, settings: LocalModels) -> Any:
    # Threads that wait by spinning starve each other when anything else runs: measured on 2 cores beside one busy
    # process, 0.3 tokens/s with spinning and 5.5 without.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = settings.context_tokens
    params.n_parallel = 1
    # llama.cpp's own bound is 8 GB, and each question adds the 13 MB of its prompts (measured over 38 of them).
    params.cache_ram_mib = settings.prompt_cache_mb
    params.cpuparams.n_threads = settings.threads or _cores()
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = False
    params.warmup = False
    params.offline = True
    # Repacking the weights and probing for devices cost a second of loading; without them, reading a prompt is a tenth
    # faster and writing a sixth slower, and a question is mostly reading. Measured on 2 cores with AVX-512.
    params.no_extra_bufts = True
    params.fit_params = False
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except Exception as error:  # noqa: BLE001 - the binding raises bare exceptions
        raise ModelError(
            f"can't load {path}: {error}",
            expected="a model file that llama.cpp can run, and memory for it",
            remedy="free memory, lower local.context_tokens, or fetch the file again",
        ).turned_away() from None
