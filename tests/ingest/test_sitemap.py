"""Sitemaps: whose pages are taken, and hostile ones."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest
from fetching import content
from site_server import Answer, Site, running

from ingest.sources import Vanished, discover, open_source, vanished
from rag.errors import DocumentError, InputError, PlumbError
from rag.settings import Settings


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as found:
        for name in "abc":
            found.page(f"/{name}.html", name.upper())
        found.sitemap("/sitemap.xml", "/a.html", "/b.html")
        yield found


def opened(place: str, **web: Any) -> Any:
    quick = {"allow_private": True, "delay_s": 0, "retries": 0, "timeout_s": 2, **web}
    return open_source(place, settings=Settings(ingest={"web": quick}))  # type: ignore[arg-type]


def names(site: Site, path: str = "/sitemap.xml", **web: Any) -> list[str]:
    return [item.uri.removeprefix(site.url) for item in opened(site.url + path, **web).items()]


def test_the_pages_of_a_sitemap_are_fetched_when_they_are_wanted(site: Site) -> None:
    source = opened(f"{site.url}/sitemap.xml")
    items = discover([source], known={}, max_documents=9)
    assert [item.uri for item in items] == [f"{site.url}/a.html", f"{site.url}/b.html"]
    assert {item.source for item in items} == {f"{site.url}/sitemap.xml"}
    assert site.asked == ["/robots.txt", "/sitemap.xml"]
    assert b"<h1>B</h1>" in content(items[1], max_bytes=10_000).data


def test_a_page_that_left_the_sitemap_has_vanished_and_others_of_the_site_stay(site: Site) -> None:
    place = f"{site.url}/sitemap.xml"
    known = {f"{site.url}/old.html": place, f"{site.url}/a.html": place, f"{site.url}/c.html": f"{site.url}/c.html"}
    source = opened(place)
    items = discover([source], known=known, max_documents=9)
    assert vanished([source], items, known=known) == [f"{site.url}/old.html"]


def test_a_listed_page_that_is_gone_says_so_when_it_is_fetched(site: Site) -> None:
    del site.answers["/b.html"]
    site.answers["/a.html"] = Answer(status=500)
    first, second = opened(f"{site.url}/sitemap.xml").items()
    with pytest.raises(DocumentError, match="500"):
        content(first, max_bytes=10_000)
    with pytest.raises(Vanished, match="404"):
        content(second, max_bytes=10_000)


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=500), Answer(body=b"<html>Back soon</html>")])
def test_a_sitemap_that_is_gone_does_not_lose_its_pages(site: Site, answer: Answer) -> None:
    site.answers["/sitemap.xml"] = answer
    place = f"{site.url}/sitemap.xml"
    with pytest.raises(PlumbError) as caught:
        discover([opened(place)], known={f"{site.url}/a.html": place}, max_documents=9)
    assert not isinstance(caught.value, Vanished)


def test_a_place_that_was_a_sitemap_once_does_not_lose_its_pages(site: Site) -> None:
    site.page("/all", "All pages")
    place = f"{site.url}/all"
    source = opened(place)
    known = {f"{site.url}/a.html": place, place: place}
    items = discover([source], known=known, max_documents=9)
    assert vanished([source], items, known=known) == []
    del site.answers["/all"]
    source = opened(place)
    assert vanished([source], discover([source], known=known, max_documents=9), known=known) == [place]


def test_the_content_decides_what_is_a_sitemap(site: Site) -> None:
    site.sitemap("/list?of=pages", "/c.html")
    assert names(site, "/list?of=pages") == ["/c.html"]
    site.page("/about-sitemaps", "About", "&lt;urlset&gt; and <urlset>")
    assert names(site, "/about-sitemaps") == ["/about-sitemaps"]


def test_an_index_is_followed_packed_or_not(site: Site) -> None:
    site.sitemap("/index.xml", "/sitemap.xml", "/more.xml.gz", "/index.xml", index=True)
    site.sitemap("/more.xml.gz", "/b.html", "/c.html")
    packed = gzip.compress(site.answers["/more.xml.gz"].body)  # type: ignore[union-attr]
    site.answers["/more.xml.gz"] = Answer(body=packed, headers={"content-type": "application/gzip"})
    assert names(site, "/index.xml") == ["/a.html", "/b.html", "/c.html"]
    assert site.asked.count("/index.xml") == 1


@pytest.mark.parametrize("broken", [Answer(status=404), Answer(status=503), Answer(body=b"x")])
def test_an_index_that_is_only_half_there_is_an_error(site: Site, broken: Answer) -> None:
    site.sitemap("/index.xml", "/sitemap.xml", "/half.xml", index=True)
    site.answers["/half.xml"] = broken
    with pytest.raises(PlumbError) as caught:
        names(site, "/index.xml")
    assert not isinstance(caught.value, Vanished)


def test_only_pages_of_the_own_site_are_taken(site: Site) -> None:
    with running() as other:
        site.sitemap(
            "/sitemap.xml", "/a.html", f"{other.url}/x", "../b.html", "ftp://127.0.0.1/x", "http://169.254.169.254/x"
        )
        source = opened(f"{site.url}/sitemap.xml")
        assert [item.uri for item in source.items()] == [f"{site.url}/a.html"]
        assert source.ignored() == {"other site": 2, "no web address": 2}
        site.sitemap("/index.xml", f"{other.url}/sitemap.xml", "/sitemap.xml", index=True)
        assert names(site, "/index.xml") == ["/a.html"]
        assert other.asked == []


def test_credentials_go_to_the_pages_of_the_same_origin(site: Site) -> None:
    host = site.url.removeprefix("http://")
    first, _ = opened(f"http://ann:pass@{host}/sitemap.xml").items()
    assert first.uri == f"{site.url}/a.html"
    content(first, max_bytes=10_000)
    assert site.headers[-1]["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("web", "name"),
    [({"max_pages": 1}, "max_pages = 1"), ({"max_sitemaps": 2}, "max_sitemaps = 2"), ({"sitemap_depth": 0}, "depth")],
)
def test_too_large_sitemaps_are_refused_whole(site: Site, web: dict[str, int], name: str) -> None:
    site.sitemap("/index.xml", "/sitemap.xml", "/more.xml", index=True)
    site.sitemap("/more.xml", "/c.html")
    with pytest.raises(InputError, match=name):
        names(site, "/index.xml", **web)


def test_an_index_without_end_is_refused(site: Site) -> None:
    for number in range(9):
        site.sitemap(f"/{number}.xml", f"/{number + 1}.xml", index=True)
    with pytest.raises(InputError, match="sitemap_depth = 2"):
        names(site, "/0.xml")
    assert "/4.xml" not in site.asked


HEAD = '<?xml version="1.0"?>'
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (f"{HEAD}{BOMB}<urlset><url><loc>&b;</loc></url></urlset>", "DTD or entities"),
        (f'{HEAD}<!DOCTYPE x SYSTEM "file:///etc/passwd"><urlset/>', "DTD or entities"),
        ('<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>&f;</loc></url></urlset>', "DTD"),
        (f"{HEAD}<urlset><url><loc>http://a/</loc>", "not well-formed"),
        (f"{HEAD}<urlset><url><loc>&undefined;</loc></url></urlset>", "not well-formed"),
        (f"{HEAD}<urlset></urlset>", "lists no page"),
        (f"{HEAD}<urlset><url><loc> </loc></url></urlset>", "lists no page"),
        (f"{HEAD}<rss><urlset></urlset></rss>", "holds no sitemap"),
        ("{", "holds no sitemap"),
        ("", "holds no sitemap"),
    ],
)
def test_hostile_sitemaps_are_refused(site: Site, xml: str, says: str) -> None:
    site.answers["/sitemap.xml"] = Answer(body=xml.encode())
    with pytest.raises(InputError, match=says):
        names(site)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7"])
def test_other_encodings_hide_nothing(site: Site, encoding: str) -> None:
    xml = f'<?xml version="1.0" encoding="{encoding}"?>{BOMB}<urlset><url><loc>&b;</loc></url></urlset>'
    site.answers["/sitemap.xml"] = Answer(body=xml.encode(encoding))
    with pytest.raises(InputError):
        names(site)


def test_a_sitemap_that_unpacks_without_end_is_refused(site: Site) -> None:
    site.answers["/sitemap.xml.gz"] = Answer(body=gzip.compress(b"<urlset>" + b" " * 50_000_000))
    with pytest.raises(DocumentError, match="more than 1 MB"):
        names(site, "/sitemap.xml.gz", max_mb=1)


def test_a_sitemap_nested_without_end_is_refused(site: Site) -> None:
    site.answers["/sitemap.xml"] = Answer(body=b"<urlset>" + b"<url>" * 100_000)
    with pytest.raises(InputError, match="not well-formed"):
        names(site)
