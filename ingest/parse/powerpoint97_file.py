"""The records of a PPT file: slides in their order with the texts on them. Names as in MS-PPT."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rag.errors import DocumentError

_CONTAINER = 0xF
_DOCUMENT, _SLIDE, _SLIDE_ATOM, _NOTES = 1000, 1006, 1007, 1008
_SLIDE_LIST, _PERSIST, _USER_EDIT, _DIRECTORY = 4080, 1011, 4085, 6002
_HEADER, _REFERENCE, _WIDE_TEXT, _NARROW_TEXT = 3999, 3998, 4000, 4008
_DEEPEST = 40
_NOTES_KIND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text with its kind: 0 and 6 are titles, 1 the body, 2 notes."""

    kind: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """The texts of a slide and of its notes, in their order."""

    texts: tuple[Text, ...]
    notes: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record of the stream: its kind, and where its content lies."""

    stream: bytes
    kind: int
    instance: int
    is_container: bool
    start: int
    end: int

    @classmethod
    def whole(cls, stream: bytes) -> Record:
        """The stream as one record."""
        return cls(stream=stream, kind=0, instance=0, is_container=True, start=0, end=len(stream))

    @property
    def content(self) -> bytes:
        """The bytes behind the header."""
        return self.stream[self.start : self.end]

    def at(self, place: int) -> Record:
        """The record that begins at a place of the stream."""
        head, kind, size = struct.unpack_from("<HHI", self.stream, place)
        return Record(
            stream=self.stream,
            kind=kind,
            instance=head >> 4,
            is_container=head & 0xF == _CONTAINER,
            start=place + 8,
            end=min(place + 8 + size, self.end),
        )

    def children(self) -> Iterator[Record]:
        """The records in this one."""
        place = self.start
        while place + 8 <= self.end:
            child = self.at(place)
            yield child
            place = max(child.end, place + 8)

    def below(self, depth: int = 0) -> Iterator[Record]:
        """All records in this one that hold no others, however deep."""
        for child in self.children():
            if child.is_container and depth < _DEEPEST:
                yield from child.below(depth + 1)
            else:
                yield child


def slides(whole: Record, edit: int) -> Iterator[Slide]:
    """The slides in their order; `edit` is where the last edit is recorded."""
    document, places = _directory(whole, edit)
    lists = {part.instance: part for part in whole.at(places[document]).children() if part.kind == _SLIDE_LIST}
    notes = {slide: place for _, place, slide in _listed(lists[2])} if 2 in lists else {}
    seen: set[int] = set()
    for outline, reference, _ in _listed(lists[0]) if 0 in lists else ():
        if reference in seen or reference not in places:
            continue
        seen.add(reference)
        slide = whole.at(places[reference])
        found = notes.get(_notes_of(slide), -1)
        spoken = _texts(whole.at(places[found]), ()) if found in places and found not in seen else ()
        seen.add(found)
        yield Slide(
            texts=tuple(_texts(slide, outline)), notes=tuple(text for text in spoken if text.kind == _NOTES_KIND)
        )


def _directory(whole: Record, edit: int) -> tuple[int, Mapping[int, int]]:
    """The number of the document, and where each numbered part lies; later edits go before earlier ones."""
    places: dict[int, int] = {}
    document, seen = -1, set[int]()
    while edit and edit not in seen:
        seen.add(edit)
        before, directory, number = struct.unpack_from("<8xIII", whole.at(edit).content)
        document = number if document < 0 else document
        for key, place in _entries(whole.at(directory).content):
            places.setdefault(key, place)
        edit = before
    if document not in places:
        raise DocumentError("it lists no slides", expected="an intact PPT file", remedy="save it as PPTX")
    return document, places


def _entries(content: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + 4 <= len(content):
        head = int.from_bytes(content[at : at + 4], "little")
        first, count = head & 0xFFFFF, head >> 20
        at += 4
        for number in range(min(count, (len(content) - at) // 4)):
            yield first + number, int.from_bytes(content[at + 4 * number : at + 4 * number + 4], "little")
        at += 4 * count


def _listed(slide_list: Record) -> Iterator[tuple[tuple[Text, ...], int, int]]:
    """The outline, the number of the part and the number of the slide, for each slide of a list."""
    waiting: list[Record] = []
    part = slide = -1
    for record in slide_list.children():
        if record.kind != _PERSIST:
            waiting.append(record)
            continue
        if part >= 0:
            yield tuple(_read(waiting, ())), part, slide
        waiting = []
        part, slide = struct.unpack_from("<I8xI", record.content)
    if part >= 0:
        yield tuple(_read(waiting, ())), part, slide


def _notes_of(slide: Record) -> int:
    atom = next((part for part in slide.children() if part.kind == _SLIDE_ATOM), None)
    return int(struct.unpack_from("<16xI", atom.content)[0]) if atom else -1


def _texts(slide: Record, outline: tuple[Text, ...]) -> Iterator[Text]:
    """The texts on a slide; those of its outline that it doesn't refer to come last."""
    drawn = list(slide.below())
    used = {int.from_bytes(record.content, "little") for record in drawn if record.kind == _REFERENCE}
    yield from _read(drawn, outline)
    yield from (text for number, text in enumerate(outline) if number not in used)


def _read(records: list[Record], outline: tuple[Text, ...]) -> Iterator[Text]:
    kind = -1
    for record in records:
        match record.kind:
            case int(found) if found == _HEADER:
                kind = int.from_bytes(record.content, "little")
            case int(found) if found == _REFERENCE:
                number = int.from_bytes(record.content, "little")
                yield from outline[number : number + 1]
            case int(found) if found in (_WIDE_TEXT, _NARROW_TEXT):
                encoding = "utf-16-le" if found == _WIDE_TEXT else "latin-1"
                text = record.content.decode(encoding, errors="replace").replace("\r", "\n").replace("\x0b", "\n")
                yield Text(kind=kind, text=text.strip())
