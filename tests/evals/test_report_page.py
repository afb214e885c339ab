"""A run as one HTML page: what it shows, and that nothing in it is taken for markup."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_runs import RIGHT, WRONG, case, cases, made
from typer.testing import CliRunner

from evals.cli import app
from evals.compare import compare
from evals.gate import decide
from evals.page import report_page
from evals.records import save_run
from rag.errors import InputError
from rag.sections import Gate

FORTY = cases(40)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> tuple[list[str], str]:
    parser = _Tags()
    parser.feed(page)
    return parser.tags, " ".join(" ".join(parser.text).split())


def test_a_run_against_another() -> None:
    first, second = made("old", FORTY), made("new", FORTY, {f"q{place}": WRONG for place in range(32, 40)})
    tags, text = read(report_page(second, compare(first, second), decide(first, second, Gate(), name="main")))
    assert tags.count("svg") == 2
    assert "fail against the baseline main" in text
    assert "answerable, right: lost 20 points" in text
    assert f"before {RIGHT} now {WRONG}" in text
    # What went wrong comes first.
    assert text.rindex("Is q32 so?") < text.rindex("Is q0 so?")


def test_a_run_alone() -> None:
    tags, text = read(report_page(made("new", FORTY)))
    assert tags.count("svg") == 1
    assert "Cases that turned" not in text
    assert "answerable, right 40 100.0 %" in text


def test_no_text_is_markup_or_script() -> None:
    hostile = "<img src=x onerror=alert(1)></details></svg>{{ 7*7 }}\x1b[31m\"'&"
    run = made("new", cases(1, tags=(hostile,)), {"q0": hostile})
    page = report_page(run)
    tags, text = read(page)
    assert "script" not in tags
    assert "img" not in tags
    assert "<img src=x onerror=alert(1)></details></svg>{{ 7*7 }}[31m\"'&" in text
    assert "default-src 'none'" in page


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_run(made("2026-01-01-old", FORTY), tmp_path / ".plumb" / "runs" / "2026-01-01-old.json")
    save_run(made("2026-01-02-new", FORTY), tmp_path / ".plumb" / "runs" / "2026-01-02-new.json")
    done = CliRunner().invoke(app, ["report"])
    assert done.exit_code == 0, done.output
    page = tmp_path / ".plumb" / "runs" / "2026-01-02-new.html"
    assert "Cases that turned" not in page.read_text()
    # It tells what users asked, as the run does.
    assert page.stat().st_mode & 0o777 == 0o600
    done = CliRunner().invoke(app, ["report", "--against", "2026-01-01", "--out", "report.html"])
    assert "written to report.html" in done.output
    assert "Against 2026-01-01-old" in (tmp_path / "report.html").read_text()
    (tmp_path / "mine.txt").write_text("mine")
    assert isinstance(CliRunner().invoke(app, ["report", "--out", "mine.txt"]).exception, InputError)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    # A run of other questions is shown alone, unless somebody wants to see the two together.
    assert CliRunner().invoke(app, ["baseline", "main", "2026-01-01"]).exit_code == 0
    save_run(made("2026-01-03-other", (case("else"),)), tmp_path / ".plumb" / "runs" / "2026-01-03-other.json")
    assert CliRunner().invoke(app, ["report"]).exit_code == 0
    assert isinstance(CliRunner().invoke(app, ["report", "--against", "main"]).exception, InputError)


def test_an_id_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for odd in ("../../out", "/out", "a/b", "a\\b", ".out", "", "a\n", "a\0", "x" * 201):
        save_run(made(odd, cases(1)), tmp_path / "run.json")
        with pytest.raises(InputError, match=r"run.json is not a run: id: .*letters, digits"):
            CliRunner().invoke(app, ["report", "run.json"], standalone_mode=False, catch_exceptions=False)
    assert [path.name for path in tmp_path.rglob("*")] == ["run.json"]
