"""Files, folders, patterns, buckets and LlamaIndex readers as places of documents."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fetching import content
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from ingest.sources import Item, Source, Vanished, discover, ignored, open_source, open_sources, vanished
from rag.errors import ConfigError, DocumentError, InputError, MissingExtra, PlumbError
from rag.settings import Settings

MB = 1_000_000
FAR_BYTES = 1 << 40


def settings(root: Path, **tables: Any) -> Settings:
    return Settings(root=root, **tables)


def opened(place: str | Path, root: Path = Path.cwd()) -> Source:  # noqa: B008
    return open_source(str(place), settings=settings(root))


def names(place: str | Path, root: Path) -> list[str]:
    return [item.uri for item in opened(place, root).items()]


def read(item: Item) -> bytes:
    return content(item, max_bytes=MB).data


# Files and folders


@pytest.fixture
def docs(project: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return corpus


def test_a_folder_gives_its_documents_in_order(project: Path, docs: Path) -> None:
    source = opened("docs", project)
    items = list(source.items())
    assert [(item.uri, item.source, item.suffix) for item in items] == [
        ("docs/limits.csv", "docs", ".csv"),
        ("docs/travel.md", "docs", ".md"),
        ("docs/hr/leave.md", "docs", ".md"),
    ]
    assert read(items[1]) == (docs / "travel.md").read_bytes()
    assert content(items[1], max_bytes=MB).name.name == "travel.md"
    assert source.places() == ("docs",)


def test_names_are_absolute_outside_of_the_project(project: Path, docs: Path, tmp_path: Path) -> None:
    (tmp_path / "far.md").write_text("# Far\n")
    assert names("../far.md", project) == [f"{tmp_path}/far.md"]
    assert names(docs.as_uri(), project) == names("docs", project)


def test_hidden_files_links_pipes_and_sockets_are_left_out(project: Path, docs: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.md").write_text("secret")
    (docs / "out").symlink_to(tmp_path / "secret")
    (docs / "out.md").symlink_to(tmp_path / "secret" / "key.md")
    (docs / "loop").symlink_to(docs)
    (docs / "gone.md").symlink_to("nowhere")
    (docs / ".git").mkdir()
    (docs / ".git" / "x.md").write_text("x")
    (docs / ".x.md").write_text("x")
    os.mkfifo(docs / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("docs/socket.md")
        assert len(names("docs", project)) == 3
        assert ignored([opened("docs", project)]) == {}


def test_a_file_that_became_a_link_is_not_followed(project: Path, docs: Path, tmp_path: Path) -> None:
    _, travel, _ = opened("docs", project).items()
    (tmp_path / "key").write_text("secret")
    (docs / "travel.md").unlink()
    (docs / "travel.md").symlink_to(tmp_path / "key")
    with pytest.raises(DocumentError, match="no plain file"):
        read(travel)
    (docs / "travel.md").unlink()
    with pytest.raises(Vanished, match=r"docs/travel.md is gone"):
        read(travel)


def test_a_link_that_is_named_is_followed(project: Path, docs: Path) -> None:
    (project / "link.md").symlink_to(docs / "travel.md")
    (item,) = opened("link.md", project).items()
    assert (item.uri, read(item)) == ("link.md", (docs / "travel.md").read_bytes())


@pytest.mark.parametrize("place", ["pipe", "/dev/zero", "/dev/null"])
def test_devices_and_pipes_are_refused(project: Path, docs: Path, place: str) -> None:
    os.mkfifo("pipe")
    with pytest.raises(InputError, match="a device, a pipe or a socket"):
        names(place, project)


def test_huge_files_are_refused_before_they_are_read(project: Path, docs: Path) -> None:
    with (docs / "huge.md").open("wb") as file:
        file.truncate(FAR_BYTES)
    huge, *_ = opened("docs/huge.md", project).items()
    with pytest.raises(DocumentError, match=r"docs/huge.md has 1,099,512 MB; expected at most ingest.max_file_mb = 1"):
        read(huge)


def test_other_kinds_are_counted(project: Path, docs: Path) -> None:
    for name in ("a.zzz", "b.ZZZ", "c.iso", "Makefile", ".hidden.xml"):
        (docs / "hr" / name).write_text("x")
    sources = [opened(place, project) for place in ("docs", "docs/travel.md")]
    assert len(discover(sources, known={}, max_documents=9)) == 3
    assert ignored(sources) == {".iso": 1, ".zzz": 2, "no ending": 1}
    assert names("docs/hr/a.zzz", project) == ["docs/hr/a.zzz"]


@pytest.mark.parametrize("place", ["", "nosuch", "a\0b", "docs/travel.md/x", "x" * 5000, "nosuch/*.md"])
def test_what_is_not_there_is_refused(project: Path, docs: Path, place: str) -> None:
    with pytest.raises(InputError):
        discover([opened(place, project)], known={"other/a.md": "other"}, max_documents=9)


@pytest.mark.parametrize("place", ["empty", "docs/*.pdf"])
def test_a_place_without_documents_is_refused(project: Path, docs: Path, place: str) -> None:
    (project / "empty").mkdir()
    with pytest.raises(InputError, match=rf"no documents in {place.replace('*', '.')}; expected files ending in "):
        discover([opened(place, project)], known={}, max_documents=9)


def test_a_place_with_too_many_documents_is_refused(project: Path, docs: Path) -> None:
    assert len(discover([opened("docs", project)], known={}, max_documents=3)) == 3
    with pytest.raises(InputError, match=r"ingest\.max_documents = 2"):
        discover([opened("docs", project)], known={}, max_documents=2)


KNOWN = {
    "docs/travel.md": "docs",
    "docs/hr/old.md": "docs",
    "docs/old.csv": "docs",
    "docs-old/a.md": "docs-old",
    "/elsewhere/a.md": "/elsewhere",
    "https://a.example/b.md": "https://a.example/b.md",
    "s3://bucket/c.md": "s3://bucket",
    "reader:package.Class/d": "reader:package.Class",
}


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        ("docs", ["docs/hr/old.md", "docs/old.csv"]),
        (".", ["docs/hr/old.md", "docs/old.csv", "docs-old/a.md"]),
        ("docs/hr", ["docs/hr/old.md"]),
        ("docs/**/*.md", ["docs/hr/old.md"]),
        ("docs/*", ["docs/old.csv"]),
        ("docs/travel.md", []),
    ],
)
def test_what_vanished_belongs_to_the_place(project: Path, docs: Path, place: str, gone: list[str]) -> None:
    sources = [opened(place, project)]
    assert vanished(sources, discover(sources, known=KNOWN, max_documents=9), known=KNOWN) == gone


def test_what_was_named_itself_is_not_taken_for_vanished_by_its_folder(
    project: Path, docs: Path, tmp_path: Path
) -> None:
    (tmp_path / "else").mkdir()
    (docs / "link").symlink_to(tmp_path / "else")
    (docs / "odd.zzz").write_text("x")
    named = {"docs/link/a.md": "docs/link", "docs/.hidden.md": "docs/.hidden.md", "docs/odd.zzz": "docs/odd.zzz"}
    sources = [opened("docs", project)]
    assert vanished(sources, discover(sources, known=named, max_documents=9), known=named) == []
    (docs / "link").unlink()
    (docs / "odd.zzz").unlink()
    gone = vanished(sources, discover(sources, known=named, max_documents=9), known=named)
    assert gone == ["docs/link/a.md", "docs/odd.zzz"]


def test_pictures_stay_where_none_can_be_read(project: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (docs / "scan.png").write_bytes(b"\x89PNG")
    known = {"docs/scan.png": "docs", "docs/gone.pdf": "docs"}
    monkeypatch.setattr("ingest.sources.files.SUPPORTED", (".md", ".csv", ".pdf"))
    sources = [opened("docs", project)]
    assert vanished(sources, discover(sources, known=known, max_documents=9), known=known) == ["docs/gone.pdf"]


def test_a_folder_around_the_project_owns_what_lies_in_it(project: Path, docs: Path) -> None:
    assert opened("..", project).covers("docs/travel.md")
    assert not opened("..", project).covers("/elsewhere/a.md")


def test_a_folder_that_is_gone_takes_its_documents_along(project: Path, docs: Path) -> None:
    shutil.rmtree(docs)
    sources = [opened("docs", project)]
    items = discover(sources, known=KNOWN, max_documents=9)
    assert vanished(sources, items, known=KNOWN) == ["docs/travel.md", "docs/hr/old.md", "docs/old.csv"]


def test_a_folder_that_can_not_be_listed_is_an_error(
    project: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("hr"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match="can't read docs/hr: Permission denied"):
        discover([opened("docs", project)], known=KNOWN, max_documents=9)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("docs/**/*.md", ["docs/travel.md", "docs/hr/leave.md"]),
        ("docs/**", ["docs/limits.csv", "docs/travel.md", "docs/hr/leave.md"]),
        ("docs/*.md", ["docs/travel.md"]),
        ("docs/*/*.md", ["docs/hr/leave.md"]),
        ("docs/[a-l]*", ["docs/limits.csv"]),
        ("d?cs/travel.md", ["docs/travel.md"]),
        ("**/**/leave.md", ["docs/hr/leave.md"]),
        ("docs/../docs/*.MD", []),
    ],
)
def test_patterns_choose(project: Path, docs: Path, pattern: str, found: list[str]) -> None:
    assert names(pattern, project) == found


def test_a_file_with_the_name_of_a_pattern_is_that_file(project: Path, docs: Path) -> None:
    (docs / "[draft].md").write_text("x")
    assert names("docs/[draft].md", project) == ["docs/[draft].md"]


# Buckets


@pytest.fixture
def bucket() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    for name in ("docs/a.md", "docs/hr/b.txt", "docs/c.iso", "docs/.x.md", "docs/.y/z.md", "docs-old/d.md"):
        files.pipe(f"/bucket/{name}", b"words of " + name.encode())
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def test_objects_below_a_prefix_are_documents(bucket: Any) -> None:
    source = opened("memory://bucket/docs/")
    items = discover([source], known={}, max_documents=9)
    assert [(item.uri, item.suffix) for item in items] == [
        ("memory://bucket/docs/a.md", ".md"),
        ("memory://bucket/docs/hr/b.txt", ".txt"),
    ]
    assert ignored([source]) == {".iso": 1}
    with items[1].fetch(MB) as path:
        assert (path.name, path.read_bytes()) == ("b.txt", b"words of docs/hr/b.txt")
    assert not path.parent.exists()
    assert [item.uri for item in opened("memory://bucket/docs/c.iso").items()] == ["memory://bucket/docs/c.iso"]


def test_objects_vanish_within_their_prefix(bucket: Any) -> None:
    place = "memory://bucket/docs"
    known = {f"{place}/a.md": place, f"{place}/gone.md": "memory://bucket", "memory://bucket/docs-old/e.md": "x"}
    sources = [opened(place)]
    assert vanished(sources, discover(sources, known=known, max_documents=9), known=known) == [f"{place}/gone.md"]
    bucket.rm("/bucket/docs", recursive=True)
    assert discover([opened(place)], known=known, max_documents=9) == []
    with pytest.raises(Vanished, match="memory://bucket/docs is not there"):
        discover([opened(place)], known={}, max_documents=9)


def test_objects_are_bounded_before_and_while_they_are_read(bucket: Any) -> None:
    bucket.pipe("/bucket/docs/a.md", b"x" * (MB + 1))
    item = next(opened("memory://bucket/docs").items())
    with pytest.raises(DocumentError, match=r"ingest\.max_file_mb = 1"):
        read(item)
    bucket.pipe("/bucket/docs/a.md", b"")
    item = next(opened("memory://bucket/docs").items())
    bucket.pipe("/bucket/docs/a.md", b"x" * (MB + 1))
    with pytest.raises(DocumentError, match="more than 1 MB"):
        read(item)
    bucket.rm("/bucket/docs/a.md")
    with pytest.raises(Vanished, match="is gone"):
        read(item)


@pytest.mark.parametrize("error", [PermissionError("no"), FileNotFoundError("no"), RuntimeError("token=hush")])
def test_a_listing_that_fails_half_way_is_an_error(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = type(bucket).ls

    def ls(self: Any, path: str, detail: bool = True) -> Any:
        if path.endswith("/hr"):
            raise error
        return real(self, path, detail=detail)

    monkeypatch.setattr(type(bucket), "ls", ls)
    with pytest.raises(InputError, match="can't list memory://bucket/docs") as caught:
        discover([opened("memory://bucket/docs")], known={}, max_documents=9)
    assert not isinstance(caught.value, Vanished)


@pytest.mark.parametrize(("place", "extra"), [("s3://b/p", "s3"), ("gs://b/p", "gcs"), ("az://c/p", "azure")])
def test_a_missing_extra_is_named(place: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'plumbline-rag\[{extra}\]'"):
        opened(place)


@pytest.mark.parametrize("place", ["nosuch://a/b", "simplecache::memory://bucket", "zip://a::memory://b/c.zip"])
def test_unknown_kinds_of_places_are_refused(place: str) -> None:
    with pytest.raises(PlumbError):
        list(opened(place).items())


def test_passwords_of_places_are_not_shown() -> None:
    with pytest.raises(PlumbError) as caught:
        opened("nosuch://ann:pa@ss@host/docs?key=hush")
    assert not any(word in str(caught.value) for word in ("ann", "pa@", "ss@", "hush"))


# LlamaIndex readers


class Wiki(BaseReader):
    """A reader as others write them."""

    def __init__(self, space: str = "hr", api_key: str = "") -> None:
        self._space = space
        self._key = api_key

    def load_data(self, pages: int = 1, *, fails: bool = False) -> list[Document]:
        """Pages with stable ids, random ids and no ids."""
        if fails:
            raise RuntimeError(f"the wiki refused the key {self._key}")
        fixed = [Document(text=f"# Page {n}\n\nText of {self._space}.", id_=f"page-{n}") for n in range(pages)]
        named = [Document(text="Words.", metadata={"url": "https://w.example/a?token=hush"}) for _ in range(2)]
        return [*fixed, *named, Document(text="Nameless.")] if pages else []


PLACE = f"reader:{__name__}.Wiki"


def loaded(**options: Any) -> list[Item]:
    return list(open_source(PLACE, settings=Settings(llama_index=options)).items())


def test_a_reader_gives_documents_with_names_that_stay() -> None:
    items = loaded(reader_args={"space": "it"}, load_args={"pages": 2})
    assert [(item.uri.removeprefix(f"{PLACE}/"), item.suffix) for item in items] == [
        ("page-0", ".md"),
        ("page-1", ".md"),
        ("https://w.example/a?token=***", ".txt"),
        ("https://w.example/a?token=***#2", ".txt"),
        ("document", ".txt"),
    ]
    assert read(items[1]) == b"# Page 1\n\nText of it."
    assert content(items[0], max_bytes=MB).name.name == "page-0.md"
    assert {item.source for item in items} == {PLACE}


def test_what_a_reader_gives_no_more_has_vanished() -> None:
    sources = [open_source(PLACE, settings=Settings())]
    known = {f"{PLACE}/page-0": PLACE, f"{PLACE}/page-1": PLACE, "docs/a.md": "docs"}
    assert vanished(sources, discover(sources, known=known, max_documents=9), known=known) == [f"{PLACE}/page-1"]


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"load_args": {"pages": 0}}, InputError, "loaded nothing"),
        ({"load_args": {"nosuch": 1}}, ConfigError, "llama_index.load_args"),
        ({"reader_args": {"nosuch": 1}}, ConfigError, "llama_index.reader_args"),
        ({"load_args": {"fails": True}, "reader_args": {"api_key": "hush"}}, InputError, r"refused the key \*\*\*"),
    ],
)
def test_a_reader_that_fails_is_an_error(options: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        loaded(**options)


@pytest.mark.parametrize(
    ("place", "kind"),
    [("reader:nosuch.Class", MissingExtra), ("reader:pathlib.Path", ConfigError), ("reader:", ConfigError)],
)
def test_a_reader_that_is_none_is_refused(place: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        list(opened(place).items())


def test_several_places_make_one_list(project: Path, docs: Path, bucket: Any) -> None:
    sources = open_sources(["docs", "docs/hr", "memory://bucket/docs", PLACE], settings=settings(project))
    items = discover(sources, known={}, max_documents=9)
    assert len(items) == len({item.uri for item in items}) == 3 + 2 + 4
    assert [item.uri for item in items] == sorted(item.uri for item in items)
