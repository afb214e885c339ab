"""A parsing process seen from the run: started when needed, ended when it hangs, started anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from ingest.isolate.messages import READY, Job, Part, Refused, Setup, unpacked

_MESSAGE_BYTES = 50_000_000
_START_S = 120.0  # a busy machine takes its time to load the modules


class ParsingProcess:
    """Parses one document after another. Not to be shared between threads."""

    def __init__(self, setup: Setup) -> None:
        """Nothing is started before the first document."""
        self._setup = setup
        self._limits = setup.settings.ingest
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def messages(self, job: Job) -> Iterator[Part | Refused]:
        """The chunks of a document in parts; the last message is a last part, or a refusal."""
        try:
            connection = self._started()
            connection.send(job)
            while True:
                message = self._received(connection, job)
                yield message
                if isinstance(message, Refused):
                    if message.is_exhausted:
                        self.close()
                    return
                if message.is_last:
                    return
        except (EOFError, OSError, ValueError, TypeError, KeyError):
            yield Refused(job=job, hash="", reason=self._broken_off(job))
        except GeneratorExit:
            self.close()
            raise

    def kill(self) -> None:
        """Stop the process at once; callable from another thread, whose wait for a message then ends."""
        if self._process:
            self._process.kill()

    def close(self) -> None:
        """End the process."""
        self.kill()
        if self._connection:
            self._connection.close()
        if self._process:
            self._process.wait()
        self._process = self._connection = None

    def _received(self, connection: Connection, job: Job) -> Part | Refused:
        if connection.poll(self._limits.parse_timeout_s):
            return unpacked(connection.recv_bytes(_MESSAGE_BYTES), job)
        self.close()
        reason = f"{job.uri} took longer than ingest.parse_timeout_s = {self._limits.parse_timeout_s:g}"
        return Refused(job=job, hash="", reason=f"{reason}; split it, or raise the limit")

    def _broken_off(self, job: Job) -> str:
        code = self._process.poll() if self._process else None
        self.close()
        how = f" (exit code {code})" if code is not None else ""
        limit = f"ingest.parse_memory_mb = {self._limits.parse_memory_mb}"
        return (
            f"{job.uri} broke its parser{how}, perhaps for want of memory; open it and save it anew, or raise {limit}"
        )

    def _started(self) -> Connection:
        if self._connection is None:
            ours, theirs = Pipe()
            with theirs:
                # A session of its own: Ctrl-C is for the run, which then ends the child.
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "ingest.isolate.child", str(theirs.fileno())],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(os.getcwd()) for path in sys.path)},  # noqa: PTH109
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=None if os.environ.get("PLUMB_DEBUG") else subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._connection = ours
            ours.send(self._setup)
            if not (ours.poll(_START_S) and ours.recv_bytes(_MESSAGE_BYTES) == READY):
                raise OSError("the parsing process did not start")
        return self._connection
