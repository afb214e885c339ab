"""Files that are replaced whole: nothing else is touched, and nothing of them is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.durable import PRIVATE, replace_text, replacing


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_beside_it_stay(tmp_path: Path) -> None:
    (tmp_path / "plumbline.new").write_text("mine")
    replace_text(tmp_path / "plumbline.toml", "ä")
    with replacing(tmp_path / "plumbline.json") as file:
        file.write(b"one")
        replace_text(tmp_path / "plumbline.md", "another of that stem")
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {
        "plumbline.new": "mine",
        "plumbline.toml": "ä",
        "plumbline.json": "one",
        "plumbline.md": "another of that stem",
    }


def test_the_mode_stays_and_that_of_a_new_file_is_said_or_usual(tmp_path: Path) -> None:
    file = tmp_path / "a"
    replace_text(file, "new")
    replace_text(tmp_path / "b", "new", mode=PRIVATE)
    assert (mode(file), mode(tmp_path / "b")) == (0o644, 0o600)
    for kept in (0o600, 0o664, 0o755):
        file.chmod(kept)
        replace_text(file, "again")
        assert (mode(file), file.read_text()) == (kept, "again")


def test_a_private_file_is_never_open_to_others(tmp_path: Path) -> None:
    (tmp_path / "a").touch(0o600)
    with replacing(tmp_path / "a"), replacing(tmp_path / "b", mode=PRIVATE):
        assert [mode(path) for path in tmp_path.iterdir()] == [0o600] * 3


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a", tmp_path / "link"
    link.symlink_to("real/a")
    for text in ("new", "again"):
        replace_text(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = tmp_path / "a", tmp_path / "folder"
    file.write_text("old")
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_text(folder, "new")
    with pytest.raises(UnicodeEncodeError):
        replace_text(file, "half \ud800")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_text(file, "new")
    assert sorted(tmp_path.iterdir()) == [file, folder]
    assert file.read_text() == "old"
