"""Conditions read from text, and chunks held against them."""

from __future__ import annotations

import pytest

from rag.errors import InputError
from rag.scope import allows, condition, field_value, folders, reading_as
from rag.types import PUBLIC, Chunk, FieldValue, Scope


def chunk(*, readers: tuple[str, ...] = ("everyone",), **fields: FieldValue) -> Chunk:
    return Chunk(
        id="1",
        uri="docs/hr/leave.md",
        title="",
        headings=(),
        page=None,
        position=0,
        text="",
        revision="",
        readers=readers,
        fields=fields,
    )


LABELLED = chunk(team="people", year=2024, signed="2026-03-01", tags=("a", "b"), draft="false", ratio=0.5)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("team=people", True),
        ("team = legal, people", True),
        ("team=legal", False),
        ("team!=legal", True),
        ("team!=people,legal", False),
        ("nothing!=x", True),
        ("nothing=x", False),
        ("nothing<5", False),
        ("year=2024", True),
        ("year=2024.0", True),
        ("year>=2024", True),
        ("year>2024", False),
        ("year<2024.5", True),
        ("year<=2023", False),
        ("ratio<1", True),
        ("signed=2026-03-01", True),
        ("signed>=2026-03-01", True),
        ("signed<2026-03-01T00:00:01", True),
        ("signed>2026-03-01T01:00+02:00", True),
        ("signed>5", False),
        ("team<5", False),
        ("tags=b", True),
        ("tags!=b", False),
        ("draft=false", True),
        ("draft=true", False),
        ("path=docs", True),
        ("path=docs/hr", True),
        ("path=docs/hr/leave.md", True),
        ("path=docs/h", False),
        ("path!=docs/it", True),
        ("path=docs/hr/", True),
        ("path=./docs/hr/leave.md", True),
        ("path!=docs/hr/", False),
        ("year=nan", False),
        ("ratio<=0.5", True),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert allows(Scope(where=(condition(text),)), LABELLED) is holds


@pytest.mark.parametrize("text", ["", "team", "=x", "team=", "year>soon", "a b=c", "team~x", "1st=x", "team==="])
def test_what_is_no_condition_says_what_one_is(text: str) -> None:
    if text == "team===":
        assert condition(text).values == ("==",)
        return
    with pytest.raises(InputError, match="condition"):
        condition(text)


@pytest.mark.parametrize(
    ("readers", "scope", "may_read"),
    [
        (("everyone",), PUBLIC, True),
        ((), Scope(user="ada", groups=("people",)), False),
        (("user:ada",), PUBLIC, False),
        (("user:ada",), Scope(user="ada"), True),
        (("user:ada",), Scope(user="bob", groups=("ada", "user:ada")), False),
        (("group:people",), Scope(user="people"), False),
        (("group:people",), Scope(groups=("legal", "people")), True),
        (("user:",), Scope(user=""), False),
    ],
)
def test_who_is_no_reader_finds_nothing(readers: tuple[str, ...], scope: Scope, may_read: bool) -> None:
    assert allows(scope, chunk(readers=readers)) is may_read


def test_as_whom_one_reads() -> None:
    assert reading_as(["user:ada", "group:people", "group:legal"]) == ("ada", ("people", "legal"))
    assert reading_as([]) == ("", ())
    for wrong in (["ada"], ["user:"], ["user:ada", "user:bob"], ["role:x"]):
        with pytest.raises(InputError, match="as a reader"):
            reading_as(wrong)


@pytest.mark.parametrize("name", ["path", "", "a-b", "1a", "x" * 65, "a.b"])
def test_a_field_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        field_value(name, "x")


def test_a_field_has_a_plain_value() -> None:
    assert field_value("a", True) == "true"
    assert field_value("a", ["x", "y"]) == ("x", "y")
    for wrong in (None, {}, [1], object()):
        with pytest.raises(ValueError, match="neither"):
            field_value("a", wrong)


def test_the_folders_of_a_document() -> None:
    assert folders("a/b/c.md") == ["a", "a/b", "a/b/c.md"]
    assert folders("/srv/x.md") == ["/srv", "/srv/x.md"]
    assert folders("https://a.test/b") == ["https:", "https://a.test", "https://a.test/b"]
