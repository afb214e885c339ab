"""Whether a text says a fact, in given words."""

from __future__ import annotations

import re

from rag.verify import MARKER, plain

_BEFORE = r"(?<!\w)(?<!\d[.,:])(?<!ty-)"
_AFTER_NUMBER = r"(?=[.,]00?(?!\d|[.,]\d)|\.(?:19|20)\d\d(?!\d)|(?!\w|[.,:]\d))"
_EMPHASIS = re.compile(r"[*`]|(?<!\w)_+|_+(?!\w)")


def says(text: str, wording: str) -> bool:
    """Whether a text contains a wording of a fact.

    Compared as `rag.verify.plain` evens texts out (case, white space, quotation marks, dashes), without citation
    marks and Markdown emphasis. The wording must begin where a word or number begins and may go on as a word does
    ('30 min' in '30 minutes'), but a number must be whole: '28' is not in '280', '1928', '1,028', '28.5' or '28:15',
    'five' not in 'twenty-five'. Cents of zero ('90' in '90.00') and the year after a date ('21.08' in '21.08.2026')
    may follow.
    """
    wanted = _evened(wording)
    return bool(wanted) and re.search(_BEFORE + re.escape(wanted) + _after(wanted), _evened(text)) is not None


def _after(wanted: str) -> str:
    return _AFTER_NUMBER if wanted[-1].isdigit() else ""


def _evened(text: str) -> str:
    return plain(_EMPHASIS.sub("", MARKER.sub("", text)))
