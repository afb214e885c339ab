"""The control words of RTF, and the text between them in its many encodings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

Event = tuple[str, str]

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\'?"
)
# Groups whose text is none of the document's.
_ASIDE = frozenset(
    "annotation author background bkmkend bkmkstart colortbl comment creatim datafield fldinst fonttbl footer footerf"
    " footerl footerr generator header headerf headerl headerr info listoverridetable listtable nonshppict objdata"
    " object pict printim private revtbl revtim rsidtbl rxe sn stylesheet sv tc themedata txe xe xmlnstbl".split()
)
# Groups that are marked as ones to pass over, and hold text all the same.
_KEPT = frozenset(["shpinst", "shptxt"])
_MARKERS = frozenset(["listtext", "pntext"])
_CHARS = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "nestcell": "\t", "nestrow": "\n",
}  # fmt: skip
_SYMBOLS = {"~": " ", "_": "-", "\\": "\\", "{": "{", "}": "}"}
_STRUCTURE = frozenset("par sect cell row pard intbl s outlinelevel".split())
_CHARSETS = {
    128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258",
    177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_CODE_PAGES = {437, 850, 852, 855, 866, 874, 932, 949, 950, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What holds for a group: whether it is passed over, its encoding, the stand-ins after a Unicode character."""

    is_aside: bool = False
    encoding: str = "cp1252"
    stand_ins: int = 1


def events(source: str) -> Iterator[Event]:
    """Texts ("text", ...) and control words ("par", ""), ("s", "2") of a document given as Latin-1."""
    return _Reader(source).events()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.group = _Group()
        self.outer: list[_Group] = []
        self.fonts: dict[str, str] = {}
        self.font = ""
        self.encoding = "cp1252"
        self.is_optional = False
        self.waiting = bytearray()
        self.passed = 0

    def events(self) -> Iterator[Event]:
        place = 0
        while found := _TOKEN.match(self.source, place):
            place = found.end()
            word, number, code, symbol, brace, text = found.groups()
            if code or text:
                self._bytes(bytes([int(code, 16)]) if code else text.encode("latin-1", errors="replace"))
                continue
            yield from self._flushed()
            if word == "bin":
                place += max(int(number or 0), 0)
            elif word:
                yield from self._word(word, number or "")
            elif brace:
                self._brace(brace)
            elif symbol:
                yield from self._symbol(symbol)
        yield from self._flushed()

    def _bytes(self, data: bytes) -> None:
        stand_ins = min(self.passed, len(data))
        self.passed -= stand_ins
        if not self.group.is_aside:
            self.waiting += data[stand_ins:]

    def _flushed(self) -> Iterator[Event]:
        if self.waiting:
            yield "text", bytes(self.waiting).decode(self.group.encoding, errors="replace")
            self.waiting.clear()

    def _brace(self, brace: str) -> None:
        self.passed = 0
        self.is_optional = False
        if brace == "{":
            self.outer.append(self.group)
        elif self.outer:
            self.group = self.outer.pop()

    def _symbol(self, symbol: str) -> Iterator[Event]:
        if symbol == "*":
            self.is_optional = True
        elif self.group.is_aside:
            return
        elif symbol in "\r\n":
            yield "par", ""
        elif symbol in _SYMBOLS:
            yield "text", _SYMBOLS[symbol]

    def _word(self, word: str, number: str) -> Iterator[Event]:
        is_optional, self.is_optional = self.is_optional, False
        if word in _ASIDE or (is_optional and word not in _KEPT):
            self.group = replace(self.group, is_aside=True)
        elif word in _MARKERS:
            self.group = replace(self.group, is_aside=True)
            yield "item", ""
        elif word in ("f", "fcharset", "ansicpg", "uc"):
            self._setting(word, int(number or 0))
        elif not self.group.is_aside:
            yield from self._shown(word, number)

    def _shown(self, word: str, number: str) -> Iterator[Event]:
        if word == "u":
            self.passed = self.group.stand_ins
            yield "text", chr(int(number or 0) & 0xFFFF)
        elif word in ("v", "deleted"):
            self.group = replace(self.group, is_aside=number != "0")
        elif word in _CHARS:
            yield "text", _CHARS[word]
        elif word in _STRUCTURE:
            yield word, number

    def _setting(self, word: str, number: int) -> None:
        if word == "f":
            self.font = str(number)
            self.group = replace(self.group, encoding=self.fonts.get(self.font, self.encoding))
        elif word == "fcharset":
            self.fonts[self.font] = _CHARSETS.get(number, self.encoding)
        elif word == "uc":
            self.group = replace(self.group, stand_ins=min(max(number, 0), 100))
        elif number in _CODE_PAGES:
            self.encoding = f"cp{number}"
            self.group = replace(self.group, encoding=self.encoding)
