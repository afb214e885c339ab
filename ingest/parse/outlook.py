"""MSG messages of Outlook, read with oxmsg: who wrote what to whom and when, the body, then what is attached."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ingest.parse.allowance import Allowance
from ingest.parse.elements import Element, Parsed
from ingest.parse.office import parse_html
from ingest.parse.packed import Inner, below, readable, shown
from ingest.parse.text import parse_text

_HEADERS = ("From", "To", "Cc", "Date")


def parse_outlook(data: bytes, inner: Inner, allowance: Allowance) -> Parsed:
    """The subject as title and heading, the other headers as text, the body; then the attachments.

    An attachment that can be read follows under its name as a heading, another one is only named.
    """
    from oxmsg import Message

    message = Message.load(io.BytesIO(data))
    subject = shown(message.subject or "")
    opening = (
        Element(kind="title", text=subject, level=1),
        Element(kind="text", text="\n".join(_lines(message))),
    )
    attached = _attached(message, inner, allowance)
    return Parsed(title=subject, elements=(*opening, *below(_body(message), levels=1), *attached))


def _lines(message: Any) -> Iterator[str]:
    headers = message.message_headers
    people = ", ".join(recipient.email_address or recipient.name for recipient in message.recipients)
    stated = {"From": message.sender, "To": people, "Date": str(message.sent_date or "")}
    for name in _HEADERS:
        if text := shown(str(headers.get(name) or stated.get(name) or "")):
            yield f"{name}: {text}"
    if names := [shown(item.file_name) for item in message.attachments if item.file_name]:
        yield f"Attachments: {', '.join(names)}"


def _body(message: Any) -> Iterator[Element]:
    if (message.html_body or "").strip():
        yield from parse_html(message.html_body.encode()).elements
    elif (message.body or "").strip():
        yield from parse_text(message.body.encode()).elements


def _attached(message: Any, inner: Inner, allowance: Allowance) -> Iterator[Element]:
    for item in message.attachments:
        allowance.take_files(1)
        content = item.file_bytes or b""
        allowance.take_bytes(len(content))
        if item.file_name and content:
            yield from readable(item.file_name, content, inner)
