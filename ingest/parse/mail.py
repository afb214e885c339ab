"""E-mail through unstructured: who wrote what to whom and when, then the body."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

from ingest.parse.elements import Element, Parsed
from ingest.parse.office import elements_of, partitioned
from ingest.parse.text import unwrap
from rag.errors import DocumentError

_HEADER_BYTES = 64_000
_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def parse_mail(data: bytes) -> Parsed:
    """The subject as title and heading, the other headers as text, the body; attachments only by name."""
    _refuse_long_header(data)
    message = message_from_bytes(data, policy=policy.default)
    if not any(message[name] for name in _SHOWN):
        raise DocumentError(
            "no From, To, Date or Subject", expected="an e-mail message", remedy="give it its true extension"
        )
    subject = _header(message, "Subject")
    body = partitioned("email", data, {"process_attachments": False, "paragraph_grouper": unwrap})
    opening = (
        Element(kind="title", text=subject, level=1),
        Element(kind="text", text="\n".join(_lines(message))),
    )
    return Parsed(title=subject, elements=(*opening, *_below(elements_of(body))))


def _refuse_long_header(data: bytes) -> None:
    # The standard library's address parser takes quadratic time: minutes for a megabyte of recipients.
    end = re.search(rb"\r?\n\r?\n", data)
    size = end.start() if end else len(data)
    if size > _HEADER_BYTES:
        raise DocumentError(
            f"the header takes {size:,} bytes", expected=f"at most {_HEADER_BYTES:,}", remedy="save the text without it"
        )


def _lines(message: EmailMessage) -> list[str]:
    headers = [f"{name}: {_header(message, name)}" for name in _SHOWN[:-1] if message[name]]
    attached = [name for part in message.iter_attachments() if (name := part.get_filename())]
    return [*headers, *([f"Attachments: {', '.join(attached)}"] if attached else [])]


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message[name] or "").split())


def _below(elements: Iterable[Element]) -> Iterator[Element]:
    """The headings of the body one level down, below the subject."""
    for element in elements:
        yield replace(element, level=element.level + 1) if element.kind == "title" else element
