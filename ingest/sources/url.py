"""Web addresses: which are taken, and how they are shown."""

from __future__ import annotations

import httpx

from rag.errors import InputError
from rag.settings import redact_url

URL_CHARS = 2_000


def web_url(text: str) -> httpx.URL:
    """A checked web address without its fragment; raises InputError."""
    try:
        url = httpx.URL(text[: URL_CHARS + 1]).copy_with(fragment=None)
        is_usable = url.scheme in ("http", "https") and bool(url.host) and len(text) <= URL_CHARS
    except (httpx.InvalidURL, ValueError, TypeError):
        is_usable = False
    if not is_usable:
        raise _unusable(text)
    return url


def user_of(url: httpx.URL) -> str:
    """'name:password' of an address, or ''."""
    return f"{url.username}:{url.password}" if url.userinfo else ""


def without_user(url: httpx.URL) -> httpx.URL:
    """An address without name and password."""
    return url.copy_with(userinfo=b"")


def with_user_of(url: httpx.URL, other: httpx.URL) -> httpx.URL:
    """An address with the name and password of another one."""
    return url.copy_with(userinfo=other.userinfo)


def shown(url: httpx.URL) -> str:
    """An address as documents are named and errors tell it: without user, password and keys."""
    address, mark, query = str(without_user(url)).partition("?")
    return address + redact_url(mark + query)


def site(url: httpx.URL) -> tuple[str, int | None]:
    """What two addresses of the same site have in common; a site's http and https are one."""
    return url.host, url.port


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """What may share credentials."""
    return url.scheme, url.host, url.port


def _unusable(text: str) -> InputError:
    place = text[:URL_CHARS].rpartition("@")[2] if "@" in text else text[:URL_CHARS]
    return InputError(
        f"'{redact_url(place)}' is no web address", expected="http:// or https:// and a host", remedy="mend the address"
    )
