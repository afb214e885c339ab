"""What tests of the real command line expect of a process: that it went well, or failed as it should."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from rag.cli import main

Plumb = Callable[..., subprocess.CompletedProcess[str]]
Result = subprocess.CompletedProcess[str]

ASKED = "How many working days of annual leave do full-time employees have?"
ESCAPE = "\x1b["


def in_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> Plumb:
    """The real command line in this process, in that folder: a process of its own takes a second to begin."""

    def run(*arguments: str | Path) -> Result:
        out, err = io.StringIO(), io.StringIO()
        code: int | str | None = 0
        with redirect_stdout(out), redirect_stderr(err), monkeypatch.context() as patched:
            patched.setattr("sys.argv", ["plumb", *map(str, arguments)])
            try:
                main()
            except SystemExit as end:
                code = end.code
        return subprocess.CompletedProcess(arguments, int(code or 0), out.getvalue(), err.getvalue())

    monkeypatch.chdir(project)
    return run


def fine(result: Result) -> str:
    """What a command that went well printed; it complained of nothing."""
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def parsed(result: Result) -> Any:
    return json.loads(fine(result))


def failed(result: Result, *, code: int) -> str:
    """The one line of a command that failed: what was seen, what was expected, what to do."""
    assert result.returncode == code, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("plumb: ")
    assert "; expected " in line
    assert line.count("; ") >= 2, "no remedy"
    assert len(line) < 1000
    assert "defect of plumb" not in line
    assert ESCAPE not in line
    return line


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, with what files hold."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
