"""A parsing process seen from the run: started when needed, ended when it hangs, started anew."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import psutil

from ingest import content_hash
from ingest.isolate.check import require_own
from ingest.isolate.messages import READY, Drawing, Job, Part, Refused, Setup, unpacked
from ingest.parse.options import PICTURE_SIDE
from rag.errors import DocumentError, PlumbError

# A PNG's first bytes; its width and height follow, of four bytes each.
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_MESSAGE_BYTES = 50_000_000
_LOOK_S = 0.05  # how often the memory of the process is looked at
_START_S = 120.0  # a busy machine takes its time to load the modules
# What a child sees of the environment: it reads foreign documents, and others hold keys.
_SHOWN = re.compile(
    r"PATH|HOME|USER|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|LD_LIBRARY_PATH|VIRTUAL_ENV|XDG_.*|PYTHON.*|OMP_.*|COVERAGE_.*"
)


class ParsingProcess:
    """Parses one document after another. Not to be shared between threads."""

    def __init__(self, setup: Setup) -> None:
        """Nothing is started before the first document."""
        self._setup = setup
        self._limits = setup.settings.ingest
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: psutil.Process | None = None
        self._connection: Connection | None = None

    def messages(self, job: Job) -> Iterator[Part | Refused]:
        """The chunks of a document in parts; the last message is a last part, or a refusal.

        Raises PlumbError when no process can be started.
        """
        try:
            connection, before = self._started(), None
            connection.send(job)
            while True:
                answer = self._awaited(connection, job)
                message = answer if isinstance(answer, Refused) else unpacked(answer, job)
                if isinstance(message, Part):
                    require_own(message, before, limits=self._limits)
                    before = message
                yield message
                if isinstance(message, Refused) or message.is_last:
                    self._retire()
                    return
        except (EOFError, OSError, ValueError, TypeError):
            yield self._crashed(job)
        except GeneratorExit:
            self.close()
            raise

    def drawn(self, wanted: Drawing) -> bytes:
        """A page of a document as a PNG. Raises DocumentError for what can't be drawn, and for what breaks a limit."""
        job = Job(path=wanted.path, uri=wanted.uri, source="")
        try:
            connection = self._started()
            connection.send(wanted)
            answer = self._awaited(connection, job)
        except (EOFError, OSError):
            answer = self._crashed(job)
        if isinstance(answer, Refused):
            raise DocumentError(answer.reason)
        if not answer.startswith(_PNG):
            raise DocumentError(answer.decode(errors="replace"))
        if not _is_small(answer):
            raise DocumentError(self._crashed(job).reason)
        return answer

    def start(self) -> None:
        """Start the process before the first document; raises PlumbError when that fails."""
        self._started()

    def kill(self) -> None:
        """Stop the process at once; callable from another thread, whose wait for a message then ends."""
        if process := self._process:
            process.kill()

    def close(self) -> None:
        """End the process."""
        self.kill()
        if self._connection:
            self._connection.close()
        if self._process:
            self._process.wait()
        self._process = self._watched = self._connection = None

    def _awaited(self, connection: Connection, job: Job) -> bytes | Refused:
        end = time.monotonic() + self._limits.parse_timeout_s
        while time.monotonic() < end:
            if connection.poll(_LOOK_S):
                return connection.recv_bytes(_MESSAGE_BYTES)
            if self._memory_mb() > self._limits.parse_memory_mb:
                limit = f"ingest.parse_memory_mb = {self._limits.parse_memory_mb}"
                return self._broken(job, f"needs more memory than {limit}; split it, or raise the limit")
        limit = f"ingest.parse_timeout_s = {self._limits.parse_timeout_s:g}"
        return self._broken(job, f"took longer than {limit}; split it, or raise the limit")

    def _memory_mb(self) -> float:
        """What the process holds now, in millions of bytes; what it merely reserved does not count."""
        try:
            return self._watched.memory_info().rss / 1e6 if self._watched else 0.0
        except psutil.NoSuchProcess:
            return 0.0

    def _retire(self) -> None:
        """End a process that holds much: what earlier documents left in it would be laid to a later one."""
        if self._memory_mb() > self._limits.parse_memory_mb / 2:
            self.close()

    def _broken(self, job: Job, what: str) -> Refused:
        self.close()
        try:
            content = content_hash.of_file(job.path)
        except OSError:
            content = ""
        return Refused(job=job, hash=content, reason=f"{job.uri} {what}", is_broken=True)

    def _crashed(self, job: Job) -> Refused:
        code = self._process.poll() if self._process else None
        told = f" (exit code {code})" if code is not None else ""
        # Ended from outside, for want of memory say: it may go better another time.
        is_killed = code == -signal.SIGKILL
        what = f"broke its parser{told}; open it in its program and save it anew"
        return replace(self._broken(job, what), retryable=is_killed)

    def _started(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._new()
                self._connection.send(self._setup)
                if not (self._connection.poll(_START_S) and self._connection.recv_bytes(_MESSAGE_BYTES) == READY):
                    raise OSError(f"no answer in {_START_S:g} s")
            except (OSError, EOFError) as error:
                self.close()
                # Of the machine, not of a document: none may be noted as one that can't be read.
                raise PlumbError(
                    f"the parsing process did not start: {error or 'it ended at once'}",
                    expected="free memory and processes",
                    remedy="run it again; PLUMB_DEBUG=1 shows what the process says",
                ) from None
        return self._connection

    def _new(self) -> Connection:
        ours, theirs = Pipe()
        with theirs:
            # A session of its own: Ctrl-C is for the run, which then ends the child.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.isolate.child", str(theirs.fileno())],
                env=self._environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("PLUMB_DEBUG") else subprocess.DEVNULL,
                start_new_session=True,
            )
        self._watched = psutil.Process(self._process.pid)
        _limit_reads(ours, self._limits.parse_timeout_s)
        return ours

    def _environment(self) -> dict[str, str]:
        """All variables only where the child asks the embedder, which may want a key and a proxy."""
        shown = dict(os.environ)
        if self._limits.chunking != "semantic":
            wanted = self._limits.password_env
            shown = {name: value for name, value in shown.items() if _SHOWN.fullmatch(name) or name == wanted}
        return {**shown, "PYTHONPATH": os.pathsep.join(path or str(os.getcwd()) for path in sys.path)}  # noqa: PTH109


def _limit_reads(connection: Connection, seconds: float) -> None:
    """Have a child that stops in the middle of a message fail like one that closed the connection."""
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", ceil(seconds), 0))


def _is_small(picture: bytes) -> bool:
    """False for a picture that would unpack to more than we draw: a child has read foreign documents."""
    sides = (int.from_bytes(picture[at : at + 4]) for at in (len(_PNG), len(_PNG) + 4))
    return all(0 < side <= PICTURE_SIDE for side in sides)
