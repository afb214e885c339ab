"""E-mail through unstructured: who wrote what to whom and when, the body, then what is attached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

from ingest.parse.allowance import Allowance
from ingest.parse.elements import Element, Parsed
from ingest.parse.encoding import decode
from ingest.parse.office import elements_of, partitioned
from ingest.parse.packed import Inner, below, readable
from ingest.parse.text import unwrap
from rag.errors import DocumentError

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, in which some programs save a mail
_SHOWN = ("From", "To", "Cc", "Date", "Subject")


def parse_mail(data: bytes, inner: Inner, allowance: Allowance) -> Parsed:
    """The subject as title and heading, the other headers as text, the body; then the attachments.

    An attachment that can be read follows under its name as a heading, another one is only named.
    """
    if data.startswith(_WIDE_MARKS) or b"\0" in data[:2]:
        data = decode(data).encode()
    _refuse_long_header(data, allowance.options.header_bytes)
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
    attached = _attached(message, inner, allowance)
    return Parsed(title=subject, elements=(*opening, *below(elements_of(body), levels=1), *attached))


def _refuse_long_header(data: bytes, most: int) -> None:
    # The standard library's address parser takes quadratic time: minutes for a megabyte of recipients.
    end = re.search(rb"\r?\n\r?\n", data)
    size = end.start() if end else len(data)
    if size > most:
        raise DocumentError(
            f"the header takes {size:,} bytes",
            expected=f"at most ingest.max_mail_header_kb = {most // 1000:,}",
            remedy="save the text without it, or raise the limit",
        )


def _lines(message: EmailMessage) -> list[str]:
    headers = [f"{name}: {_header(message, name)}" for name in _SHOWN[:-1] if message[name]]
    attached = [name for part in message.iter_attachments() if (name := part.get_filename())]
    return [*headers, *([f"Attachments: {', '.join(attached)}"] if attached else [])]


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message[name] or "").split())


def _attached(message: EmailMessage, inner: Inner, allowance: Allowance) -> Iterator[Element]:
    for part in message.iter_attachments():
        allowance.take_files(1)
        content = _content(part)
        allowance.take_bytes(len(content))
        name = part.get_filename() or ("message.eml" if part.get_content_type() == "message/rfc822" else "")
        if name and content:
            yield from readable(name, content, inner)


def _content(part: EmailMessage) -> bytes:
    if part.get_content_type() == "message/rfc822":
        return b"".join(bytes(mail) for mail in part.get_payload() if isinstance(mail, EmailMessage))
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
