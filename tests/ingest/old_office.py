"""Small files of Office 97-2003 and of Outlook, made byte by byte: no library writes them."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Tree = Mapping[str, "bytes | Tree"]

SECTOR, CUTOFF = 512, 4096
END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def compound(tree: Tree) -> bytes:
    """An OLE container; small streams lie in a stream of their own, as the format wants it."""
    entries: list[tuple[str, int, int, bytes]] = [("Root Entry", 5, 1, b"")]
    siblings = {0: FREE}
    _add(tree, entries, siblings)
    small, small_chains, small_starts = _laid([e[3] if len(e[3]) < CUTOFF else b"" for e in entries], 64)
    entries[0] = ("Root Entry", 5, 1, small)
    small_table = struct.pack(f"<{len(small_chains)}I", *small_chains)
    small_table += b"\xff" * (-len(small_table) % SECTOR)
    large = [small, *(e[3] if len(e[3]) >= CUTOFF else b"" for e in entries[1:]), small_table]
    streams, chains, starts = _laid(large, SECTOR)
    folder = b"".join(
        _entry(
            *entry, sibling=siblings[number], start=starts[number] if starts[number] != END else small_starts[number]
        )
        for number, entry in enumerate(entries)
    )
    folder += bytes(-len(folder) % SECTOR)
    _, folder_chains, _ = _laid([folder], SECTOR, before=len(chains))
    table_sectors = -(-(len(chains) + len(folder_chains) + 2) // (SECTOR // 4 - 1))
    chains += [*folder_chains, *[FAT] * table_sectors]
    table = struct.pack(f"<{len(chains)}I", *chains)
    table += b"\xff" * (-len(table) % SECTOR)
    first = (len(streams) + len(folder)) // SECTOR
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    tables = (starts[-1], len(small_table) // SECTOR, END, 0)
    header += struct.pack("<9I", 0, table_sectors, len(streams) // SECTOR, 0, CUTOFF, *tables)
    places = [first + number for number in range(table_sectors)]
    header += struct.pack("<109I", *places, *[FREE] * (109 - len(places)))
    return header + streams + folder + table


def _laid(contents: list[bytes], size: int, *, before: int = 0) -> tuple[bytes, list[int], list[int]]:
    """The contents one after the other in sectors, the chains of these, and where each content starts."""
    joined, chains, starts = b"", list[int](), list[int]()
    for content in contents:
        count = -(-len(content) // size)
        at = before + len(chains)
        starts.append(at if count else END)
        chains += [END if number == count - 1 else at + number + 1 for number in range(count)]
        joined += content + bytes(-len(content) % size)
    return joined, chains, starts


def _add(tree: Tree, entries: list[tuple[str, int, int, bytes]], siblings: dict[int, int]) -> None:
    numbers = []
    for name, content in tree.items():
        numbers.append(len(entries))
        is_stream = isinstance(content, bytes)
        entries.append((name, 2 if is_stream else 1, FREE, content if isinstance(content, bytes) else b""))
        if not isinstance(content, bytes):
            number = numbers[-1]
            entries[number] = (name, 1, len(entries) if content else FREE, b"")
            _add(content, entries, siblings)
    siblings.update(zip(numbers, [*numbers[1:], FREE], strict=True))


def _entry(name: str, kind: int, child: int, content: bytes, *, sibling: int, start: int) -> bytes:
    wide = name.encode("utf-16-le")
    head = wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide) + 2, kind, 1, FREE, sibling, child)
    return head + bytes(36) + struct.pack("<IQ", start, len(content))


def word(paragraphs: list[tuple[str, int, bytes]]) -> bytes:
    """A DOC file of paragraphs with their end marks, the numbers of their styles and their other properties."""
    text = "".join(part for part, _, _ in paragraphs).encode("utf-16-le")
    head = bytearray(1024)
    struct.pack_into("<HH6xH", head, 0, 0xA5EC, 0xC1, 0x0200)
    struct.pack_into("<i", head, 0x4C, len(text) // 2)
    page, table = _styles(paragraphs, start=1024, number=(1024 + len(text) + 511) // 512)
    pieces = struct.pack("<2iHIH", 0, len(text) // 2, 0, 1024, 0)
    clx = b"\x02" + struct.pack("<I", len(pieces)) + pieces
    struct.pack_into("<II", head, 0x102, 0, len(table))
    struct.pack_into("<II", head, 0x1A2, len(table), len(clx))
    body = bytes(head) + text
    return compound({"WordDocument": body + bytes(-len(body) % 512) + page, "1Table": table + clx})


def _styles(paragraphs: list[tuple[str, int, bytes]], *, start: int, number: int) -> tuple[bytes, bytes]:
    page, places, at = bytearray(512), [start], 510
    for order, (text, style, properties) in enumerate(paragraphs):
        places.append(places[-1] + len(text.encode("utf-16-le")))
        content = struct.pack("<H", style) + properties
        content = bytes([(len(content) + 2) // 2]) + content + bytes(1 - len(content) % 2)
        at -= len(content) + len(content) % 2
        page[at : at + len(content)] = content
        page[4 * (len(paragraphs) + 1) + 13 * order] = at // 2
    struct.pack_into(f"<{len(places)}I", page, 0, *places)
    page[511] = len(paragraphs)
    return bytes(page), struct.pack("<III", places[0], places[-1], number)


def record(kind: int, content: bytes, *, instance: int = 0, holds: bool = False) -> bytes:
    """A record of a PPT file."""
    return struct.pack("<HHI", instance << 4 | (0xF if holds else 0), kind, len(content)) + content


def text_record(kind: int, text: str) -> bytes:
    """A text of a slide with its kind."""
    return record(3999, struct.pack("<I", kind)) + record(4000, text.encode("utf-16-le"))


def powerpoint(slides: list[tuple[bytes, bytes]]) -> bytes:
    """A PPT file of slides: the texts in its outline, and the texts drawn on it."""
    persists = b"".join(
        record(1011, struct.pack("<IIiII", number + 2, 0, 0, 256 + number, 0)) + outline
        for number, (outline, _) in enumerate(slides)
    )
    parts = [record(1000, record(4080, persists, holds=True), holds=True)]
    for _, drawn in slides:
        box = record(0xF00D, drawn, holds=True)
        parts.append(record(1006, record(1007, bytes(24)) + record(1036, box, holds=True), holds=True))
    places = [sum(map(len, parts[:number])) for number in range(len(parts))]
    directory = record(6002, struct.pack(f"<{1 + len(parts)}I", len(parts) << 20 | 1, *places))
    end = sum(map(len, parts))
    edit = record(4085, struct.pack("<IIIII", 0, 0, 0, end, 1) + bytes(8))
    stream = b"".join(parts) + directory + edit
    user = struct.pack("<HHIIII", 0, 4086, 20, 20, 0xE391C05F, end + len(directory)) + bytes(16)
    return compound({"PowerPoint Document": stream, "Current User": user})


def excel(rows: list[list[str | float]]) -> bytes:
    """An XLS file of the oldest kind: one sheet."""
    cells = struct.pack("<HHHH", 0x0009, 4, 2, 0x10)
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            place = struct.pack("<HH3x", row, column)
            if isinstance(value, str):
                content = place + bytes([len(value)]) + value.encode("cp1252")
                cells += struct.pack("<HH", 0x0004, len(content)) + content
            else:
                cells += struct.pack("<HH", 0x0003, 15) + place + struct.pack("<d", value)
    return cells + struct.pack("<HH", 0x000A, 0)


def outlook(texts: dict[int, str], attachments: dict[str, bytes]) -> bytes:
    """A MSG file with some text properties, by their numbers, and files."""
    tree: dict[str, bytes | Tree] = {"__properties_version1.0": bytes(32) + _text_properties(texts)}
    tree |= {f"__substg1.0_{number:04X}001F": text.encode("utf-16-le") for number, text in texts.items()}
    for order, (name, content) in enumerate(attachments.items()):
        data = struct.pack("<HHIII", 0x0102, 0x3701, 6, len(content), 0)
        method = struct.pack("<HHIII", 0x0003, 0x3705, 6, 1, 0)
        tree[f"__attach_version1.0_#{order:08X}"] = {
            "__properties_version1.0": bytes(8) + _text_properties({0x3707: name}) + data + method,
            "__substg1.0_3707001F": name.encode("utf-16-le"),
            "__substg1.0_37010102": content,
        }
    return compound(tree)


def _text_properties(texts: dict[int, str]) -> bytes:
    return b"".join(struct.pack("<HHIII", 0x001F, number, 6, len(text) * 2 + 2, 0) for number, text in texts.items())
