"""Web pages and sitemaps, from a real server on the loopback that behaves as bad ones do."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from fetching import content
from hypothesis import given
from hypothesis import strategies as st
from site_server import Answer, Site, running

from ingest.parse import parse
from ingest.sources import Item, Source, Vanished, discover, ignored, media, open_source, vanished
from ingest.sources.address import refuse_unless_allowed
from ingest.sources.fetch import Fetcher
from ingest.sources.url import shown, web_url
from ingest.sources.web import Pages
from rag.errors import DocumentError, InputError, PlumbError
from rag.settings import Settings

MB = 1_000_000


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as found:
        yield found


def settings(**web: Any) -> Settings:
    quick = {"allow_private": True, "delay_s": 0, "retries": 0, "timeout_s": 2, **web}
    return Settings(ingest={"web": quick})  # type: ignore[arg-type]


def opened(place: str, **web: Any) -> Source:
    return open_source(place, settings=settings(**web))


def listed(place: str, **web: Any) -> list[Item]:
    return list(opened(place, **web).items())


def read(item: Item, max_bytes: int = 50 * MB) -> tuple[str, bytes]:
    found = content(item, max_bytes=max_bytes)
    return found.name.name, found.data


def resolved(place: str, *addresses: str, **web: Any) -> tuple[Pages, list[str]]:
    """The pages at a place whose host has these addresses, one list after the other, and the hosts asked for."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [addresses[min(len(asked), len(addresses)) - 1]]

    options = settings(**web).ingest.web
    return Pages(place, options=options, fetcher=Fetcher(options, resolve=resolve)), asked


def test_a_page_is_one_document_and_is_fetched_once(site: Site) -> None:
    site.page("/help/annual-leave.html", "Annual leave")
    source = opened(f"{site.url}/help/annual-leave.html#top")
    (item,) = source.items()
    assert (item.uri, item.source, item.suffix) == (f"{site.url}/help/annual-leave.html", item.uri, ".html")
    with item.fetch(MB) as path:
        assert path.name == "annual-leave.html"
        assert b"Annual leave" in path.read_bytes()
    assert not path.exists()
    assert site.asked == ["/robots.txt", "/help/annual-leave.html"]
    assert site.headers[1]["user-agent"] == "plumbline-rag"
    assert (source.places(), source.covers(item.uri), source.covers(f"{site.url}/other")) == ((), True, False)


@pytest.mark.parametrize(
    ("path", "kind", "ending"),
    [
        ("/a", "text/html; charset=utf-8", ".html"),
        ("/a", "", ".html"),
        ("/a.php", "text/html", ".html"),
        ("/a.php", "", ".html"),
        ("/a.pdf", "application/octet-stream", ".pdf"),
        ("/a.md", "text/plain", ".md"),
        ("/a", "text/plain", ".txt"),
        ("/a.html", "application/pdf", ".pdf"),
        ("/a.xlsx?download=1", "application/x-unheard-of", ".xlsx"),
        ("/a", "application/octet-stream", ""),
    ],
)
def test_the_content_type_tells_the_format_then_the_path(site: Site, path: str, kind: str, ending: str) -> None:
    site.answers[path] = Answer(body=b"words", headers={"content-type": kind} if kind else {})
    (item,) = listed(site.url + path)
    assert read(item)[0] == f"a{ending}"


def test_an_encoding_that_only_the_header_names_is_kept(site: Site) -> None:
    text = "Привет, ".encode("windows-1251") * 20
    site.answers["/a.txt"] = Answer(body=text, headers={"content-type": "text/plain; charset=windows-1251"})
    site.answers["/b"] = Answer(body=b"<p>" + text, headers={"content-type": "text/html; charset='cp1251'"})
    site.answers["/c.txt"] = Answer(body=b"aGVsbG8=", headers={"content-type": "text/plain; charset=base64"})
    for path in ("/a.txt", "/b"):
        (item,) = listed(site.url + path)
        found = content(item, max_bytes=MB)
        assert "Привет" in parse(found.name, found.data).elements[0].text
    assert read(listed(f"{site.url}/c.txt")[0])[1] == b"aGVsbG8="


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_has_vanished(site: Site, status: int) -> None:
    site.answers["/old"] = Answer(status=status)
    place = f"{site.url}/old"
    with pytest.raises(Vanished, match=str(status)):
        listed(place)
    source = opened(place)
    known = {place: place, f"{site.url}/other": f"{site.url}/other", "docs/a.md": "docs"}
    items = discover([source], known=known, max_documents=9)
    assert items == []
    assert vanished([source], items, known=known) == [place]
    with pytest.raises(InputError, match=str(status)):
        discover([source], known={"docs/a.md": "docs"}, max_documents=9)


@pytest.mark.parametrize("status", [301, 401, 403, 418, 429, 500, 503])
def test_other_answers_are_errors_of_the_document(site: Site, status: int) -> None:
    site.answers["/a"] = Answer(status=status)
    with pytest.raises(DocumentError) as caught:
        listed(f"{site.url}/a")
    assert not isinstance(caught.value, Vanished)


def test_a_busy_server_is_tried_again(site: Site) -> None:
    answers = [Answer(status=503), Answer(status=429, headers={"retry-after": "1"})]
    waited: list[float] = []
    site.answers["/a"] = lambda: answers.pop(0) if answers else Answer(body=b"there", headers={})
    options = settings(retries=2).ingest.web
    page = Pages(f"{site.url}/a", options=options, fetcher=Fetcher(options, sleep=waited.append))
    assert read(next(page.items()))[1] == b"there"
    assert waited == [0.5, 1.0]


@pytest.mark.parametrize("ask", ["3600", "Wed, 21 Oct 2065 07:28:00 GMT"])
def test_a_wait_that_is_too_long_is_not_waited(site: Site, ask: str) -> None:
    site.answers["/a"] = Answer(status=503, headers={"retry-after": ask})
    with pytest.raises(DocumentError, match="answered 503"):
        listed(f"{site.url}/a", retries=2)
    assert site.asked.count("/a") == 1


def test_the_pages_of_a_site_are_asked_for_with_pauses(site: Site) -> None:
    site.page("/a", "A")
    waited: list[float] = []
    options = settings(delay_s=5).ingest.web
    fetcher = Fetcher(options, sleep=waited.append)
    for _ in range(2):
        list(Pages(f"{site.url}/a", options=options, fetcher=fetcher).items())
    assert [round(seconds) for seconds in waited] == [5]


@pytest.mark.parametrize("place", ["https://", "http:///a", "https://[::1", "https://" + "a" * 3000])
def test_what_is_no_web_address_is_refused(place: str) -> None:
    with pytest.raises(InputError, match="is no web address"):
        opened(place)


def test_credentials_go_to_their_own_site_and_are_shown_nowhere(site: Site) -> None:
    site.page("/a", "A")
    with running() as other:
        other.page("/b", "B")
        site.page("/a?token=hush&x=1", "A")
        site.redirect("/away", f"{other.url}/b")
        host = site.url.removeprefix("http://")
        (item,) = listed(f"http://ann:pa%40ss@{host}/a?token=hush&x=1")
        assert item.uri == f"{site.url}/a?token=***&x=1"
        listed(f"http://ann:pa%40ss@{host}/away")
    assert site.headers[-1]["authorization"] == "Basic YW5uOnBhQHNz"
    assert all("authorization" not in headers for headers in other.headers)


def test_errors_show_no_credentials(site: Site) -> None:
    host = site.url.removeprefix("http://")
    for place in (
        f"http://ann:pa@ss@{host}/gone?key=hush",
        f"http://ann:pass@{host}:bad/",
        "http://ann:pass@127.0.0.1:9/",
    ):
        with pytest.raises(PlumbError) as caught:
            listed(place)
        assert not any(word in str(caught.value) for word in ("ann", "pa@ss", "ss@", "pass", "hush")), caught.value


PRIVATE = """
127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 0.0.0.0 169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192 224.0.0.1
240.0.0.1 255.255.255.255 198.18.0.1 ::1 :: fe80::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001:db8::1 fec0::1 ::127.0.0.1 fe80::1%1
""".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    source, _ = resolved("https://docs.example/a", address, allow_private=False)
    with pytest.raises(DocumentError, match="no public one"):
        list(source.items())


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "224.0.0.1"]
)
def test_metadata_addresses_are_refused_even_where_private_ones_are_allowed(address: str) -> None:
    source, _ = resolved("http://docs.example/a", address, allow_private=True)
    with pytest.raises(DocumentError, match=r"no public one.*no setting allows this one"):
        list(source.items())


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"])
def test_the_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(DocumentError, match=r"no public one|can.t be resolved"):
        listed(f"http://{host}:9/", allow_private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    refuse_unless_allowed("docs.example", [address], allow_private=False)
    with pytest.raises(DocumentError, match="no public one"):
        refuse_unless_allowed("docs.example", [address, "10.0.0.1"], allow_private=False)


def test_the_address_that_was_checked_is_the_one_that_is_dialled(site: Site) -> None:
    site.page("/a", "A")
    port = site.url.rpartition(":")[2]
    source, asked = resolved(f"http://docs.example:{port}/a", "127.0.0.1")
    (item,) = source.items()
    assert item.uri == f"http://docs.example:{port}/a"
    assert asked == ["docs.example"] * 2  # once for each connection
    assert {headers["host"] for headers in site.headers} == {f"docs.example:{port}"}


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site with TLS and a certificate for docs.example, which is trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("docs.example").configure_cert(tls)
    with running(tls) as found:
        yield found


def test_tls_checks_the_name_although_the_address_is_dialled(secure: Site) -> None:
    secure.page("/a", "A")
    port = secure.url.rpartition(":")[2]
    source, _ = resolved(f"https://docs.example:{port}/a", "127.0.0.1")
    (item,) = source.items()
    assert b"<h1>A</h1>" in read(item)[1]
    source, _ = resolved(f"https://other.example:{port}/a", "127.0.0.1")
    with pytest.raises(DocumentError, match="CERTIFICATE_VERIFY_FAILED"):
        list(source.items())


def test_a_redirect_away_from_tls_is_refused(secure: Site) -> None:
    secure.redirect("/a", "http://docs.example/b")
    source, _ = resolved(f"https://docs.example:{secure.url.rpartition(':')[2]}/a", "127.0.0.1")
    with pytest.raises(DocumentError, match="from https to http"):
        list(source.items())


def test_a_name_that_changes_its_address_is_checked_again(site: Site) -> None:
    site.page("/a", "A")
    port = site.url.rpartition(":")[2]
    source, _ = resolved(f"http://docs.example:{port}/a", "127.0.0.1", "169.254.169.254")
    with pytest.raises(DocumentError, match=r"169\.254\.169\.254"):
        list(source.items())


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("http://169.254.169.254/latest/meta-data", "no public one"),
        ("//169.254.169.254/latest", "no public one"),
        ("http://[fe80::1]/", "no public one"),
        ("file:///etc/passwd", "no web address"),
        ("gopher://127.0.0.1/", "no web address"),
        ("http://a b:x/", "no web address"),
        ("", "again and again"),
        ("/a", "again and again"),
    ],
)
def test_redirects_to_bad_places_are_refused(site: Site, target: str, says: str) -> None:
    site.redirect("/a", target)
    with pytest.raises(DocumentError, match=says):
        listed(f"{site.url}/a")


def test_redirects_are_followed_and_the_name_stays(site: Site) -> None:
    site.redirect("/a", "/b")
    site.redirect("/b", "c.html")
    site.page("/c.html", "C")
    (item,) = listed(f"{site.url}/a")
    assert item.uri == f"{site.url}/a"
    assert read(item)[0] == "c.html"
    with pytest.raises(DocumentError, match="max_redirects = 1"):
        listed(f"{site.url}/a", max_redirects=1)


def test_a_page_that_never_ends_is_left(site: Site) -> None:
    site.answers["/a"] = Answer(body=b"so", drip=True)
    started = time.monotonic()
    with pytest.raises(DocumentError, match=r"took longer than ingest\.web\.timeout_s"):
        listed(f"{site.url}/a", total_s=0.5)
    assert time.monotonic() - started < 2


def test_headers_that_never_end_are_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}/"
        started = time.monotonic()
        with pytest.raises(DocumentError, match=r"ingest\.web\.total_s in all"):
            listed(place, timeout_s=0.3)
        assert time.monotonic() - started < 2


def test_a_large_page_is_refused(site: Site) -> None:
    site.answers["/a"] = Answer(body=b"x" * (MB + 1))
    with pytest.raises(DocumentError, match=r"more than 1 MB.*ingest\.web\.max_mb"):
        listed(f"{site.url}/a", max_mb=1)
    (item,) = listed(f"{site.url}/a")
    with pytest.raises(DocumentError, match="max_file_mb"):
        read(item, MB)


def test_a_compressed_page_is_read(site: Site) -> None:
    packed = gzip.compress(b"some ") + gzip.compress(b"words")
    site.answers["/a.txt"] = Answer(body=packed, headers={"content-encoding": "gzip"})
    assert read(listed(f"{site.url}/a.txt")[0])[1] == b"some words"


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        ("gzip", gzip.compress(b"x" * 100 * MB), "more than 1 MB"),
        ("gzip", gzip.compress(b"words")[:-9], "cut off"),
        ("gzip", gzip.compress(b"") * 1001, "1,000 parts"),
        ("gzip", gzip.compress(b"", 0) + b"x" * MB, "damaged"),
        ("gzip", b"no gzip data", "damaged"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x")), "encoding 'gzip, gzip'"),
        ("br", b"x", "encoding 'br'"),
        ("deflate", zlib.compress(b"x"), "encoding 'deflate'"),
    ],
    ids=["a bomb", "cut off", "many parts", "damaged", "not packed", "twice packed", "brotli", "deflate"],
)
def test_bad_compression_is_refused(site: Site, encoding: str, body: bytes, says: str) -> None:
    site.answers["/a"] = Answer(body=body, headers={"content-encoding": encoding})
    with pytest.raises(DocumentError, match=says):
        listed(f"{site.url}/a", max_mb=1)


def test_robots_are_respected(site: Site) -> None:
    rules = b"User-agent: *\nDisallow: /private\n\nUser-agent: plumbline-rag\nDisallow: /not-you\n"
    site.answers["/robots.txt"] = Answer(body=rules)
    site.page("/private", "P")
    site.redirect("/a", "/not-you")
    listed(f"{site.url}/private")
    for path in ("/not-you", "/a"):
        with pytest.raises(DocumentError, match=r"robots\.txt .* forbids"):
            listed(site.url + path)
    assert "/not-you" not in site.asked
    with pytest.raises(DocumentError, match="forbids"):
        listed(f"{site.url}/private", user_agent="another")


def test_a_site_that_can_not_tell_its_rules_is_left_alone(site: Site) -> None:
    site.page("/a", "A")
    site.answers["/robots.txt"] = Answer(status=500)
    with pytest.raises(DocumentError, match=r"robots\.txt"):
        listed(f"{site.url}/a")
    assert "/a" not in site.asked


@pytest.mark.parametrize("line", ["Disallow: //[", f"Crawl-delay: {'9' * 5000}"])
def test_rules_that_make_no_sense_are_an_error(site: Site, line: str) -> None:
    site.page("/a", "A")
    site.answers["/robots.txt"] = Answer(body=f"User-agent: *\n{line}\n".encode())
    with pytest.raises(DocumentError, match="can't be understood"):
        listed(f"{site.url}/a")


@given(st.text(max_size=60) | st.text("htps:/@[]%?#.xn-a1\\ ", max_size=30).map("http://".__add__))
def test_any_text_is_a_web_address_or_refused(text: str) -> None:
    try:
        url = web_url(text)
    except InputError:
        return
    assert shown(url).startswith(("http://", "https://"))
    assert "@" not in re.split(r"[/?]", shown(url))[2]
    assert len(media.path_ending(url)) < 2000


@pytest.mark.parametrize("path", ["/%00.%00x", "/a.%1b[31m", "/" + "a" * 500 + ".md", "/%2e%2e/%2fetc", "/a.m%0Ad"])
def test_odd_paths_give_plain_names(site: Site, path: str) -> None:
    site.answers[path] = site.answers[path.replace("[", "%5B")] = Answer(
        body=b"x", headers={"content-type": "text/plain"}
    )
    (item,) = listed(site.url + path)
    name, data = read(item)
    assert data == b"x"
    assert re.fullmatch(r"[\w.-]{1,90}", name)


def test_ignored_is_empty_for_a_page(site: Site) -> None:
    site.page("/a", "A")
    source = opened(f"{site.url}/a")
    list(source.items())
    assert ignored([source]) == {}
