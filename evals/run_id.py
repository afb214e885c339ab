"""The id of a run, which is the name of files too."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

MOST_CHARS = 200
# File systems take 255 bytes for a name; the time of the run and the ending need some.
PART_BYTES = 150
_SAFE = r"\w .()+,&@-"
_ODD = re.compile(f"[^{_SAFE}]+")
_ID = re.compile(rf"(?!\.)[{_SAFE}]{{1,{MOST_CHARS}}}")


def part_of_id(name: str) -> str:
    """A name as it can be part of an id: what is no letter, no digit and no common mark becomes '_'."""
    # Composed first, as some systems store it: an accent is no letter.
    return _ODD.sub("_", unicodedata.normalize("NFC", name)).encode()[:PART_BYTES].decode(errors="ignore")


def _checked(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"an id is up to {MOST_CHARS} letters, digits, spaces and .()+,&@-_ and begins with no dot")
    return text


# Of a file that others may have written: it must not lead out of the folder of runs.
RunId = Annotated[str, AfterValidator(_checked)]
