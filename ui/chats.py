"""The conversations that visitors can come back to, in one file for all processes and threads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.observe.codec import utf8
from rag.observe.content import content
from rag.observe.database import BUSY_S
from rag.observe.retention import DAY_S, SHARE_LET_GO, held_bytes
from rag.sections import Tracing
from rag.settings import Settings
from rag.wal import Schema, Writer, connect, translated
from ui.exchange import Exchange, decode, encode

NAME_CHARS = 60
EXPECTED = "a usable file of conversations"
_SCRIPT = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS chats (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', changed_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS chats_by_owner ON chats (owner, changed_at);
CREATE INDEX IF NOT EXISTS chats_by_time ON chats (changed_at);
CREATE TABLE IF NOT EXISTS exchanges (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, chat TEXT NOT NULL, asked_at REAL NOT NULL,
    question TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS exchanges_by_chat ON exchanges (chat, place);
CREATE INDEX IF NOT EXISTS exchanges_by_time ON exchanges (asked_at);
PRAGMA user_version = 1;
COMMIT;
"""
SCHEMA = Schema(script=_SCRIPT, version=1)
# A name that somebody gave, else the first question: it goes when that question does.
_LIST = """
SELECT c.id, c.name, c.changed_at,
    (SELECT e.question FROM exchanges e WHERE e.chat = c.id AND e.asked_at >= :since ORDER BY e.place LIMIT 1)
FROM chats c WHERE c.owner = :owner AND c.changed_at >= :since ORDER BY c.changed_at DESC LIMIT :limit
"""
_BEGIN = "INSERT INTO chats (id, owner, changed_at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
_ADD = """
INSERT INTO exchanges (id, chat, asked_at, question, body) SELECT ?, id, ?, ?, ? FROM chats WHERE id = ? AND owner = ?
"""
_READ = """
SELECT e.id, e.question, e.body FROM exchanges e JOIN chats c ON c.id = e.chat
WHERE c.id = ? AND c.owner = ? AND e.asked_at >= ? ORDER BY e.place
"""
_REPLACE = "DELETE FROM exchanges WHERE id = ? AND chat = (SELECT id FROM chats WHERE id = ? AND owner = ?)"
_CHANGE = "UPDATE exchanges SET body = ? WHERE id = ? AND chat IN (SELECT id FROM chats WHERE owner = ?)"
_OLDEST = "SELECT id FROM chats ORDER BY changed_at LIMIT (SELECT max(1, cast(count(*) * ? AS INTEGER)) FROM chats)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation in a list; `changed_at`, in Unix seconds, is when its last question was asked."""

    id: str
    name: str
    changed_at: float


def are_kept(settings: Settings) -> bool:
    """Whether conversations outlive their tab: not where traces keep no texts, or nothing."""
    return settings.trace.enabled and settings.trace.content != "none"


def open_chats(settings: Settings) -> Chats:
    """The conversations in the data folder, under the rules for traces."""
    return Chats(settings.data_path / "chats.db", settings.trace)


def shortened(text: str) -> str:
    """A text as a name on one line."""
    line = " ".join(text.split())
    return line if len(line) <= NAME_CHARS else f"{line[: NAME_CHARS - 1].rstrip()}…"


class Chats:
    """The file appears with the first write. An owner never finds what is another's. Methods raise StoreError."""

    def __init__(self, path: Path, rules: Tracing) -> None:
        """Use the file at `path`; `rules` say what of a text is kept, how long, and how much of the disk it may take.

        Raises ConfigError for a pattern among them that is no regular expression.
        """
        self.path = path
        self._rules = rules
        self._content = content(rules)
        self._writer = Writer(path, SCHEMA, expected=EXPECTED, wait_s=BUSY_S)

    def listed(self, owner: str, *, limit: int) -> list[Chat]:
        """The owner's conversations, the one that was last asked in first."""
        with self._reading() as db:
            found = db.execute(_LIST, {"owner": owner, "since": self._since(), "limit": limit}).fetchall()
        return [Chat(id=row[0], name=row[1] or shortened(row[3] or ""), changed_at=row[2]) for row in found]

    def exchanges(self, owner: str, chat: str) -> list[Exchange]:
        """What was asked in a conversation, oldest first; nothing where it is another's, or isn't there."""
        with self._reading() as db:
            found = db.execute(_READ, (chat, owner, self._since())).fetchall()
        return [decode(body, identifier=identifier, question=question) for identifier, question, body in found]

    def add(self, owner: str, chat: str, exchange: Exchange, *, instead_of: Sequence[str] = ()) -> None:
        """Keep a question at the end of a conversation, which is made if need be, in place of these exchanges."""
        question, body, now = utf8(self._content.of_value(exchange.question)), self._encoded(exchange), time.time()
        with self._writer.transaction() as db:
            db.execute(_BEGIN, (chat, owner, now))
            db.execute("UPDATE chats SET changed_at = ? WHERE id = ? AND owner = ?", (now, chat, owner))
            db.executemany(_REPLACE, [(one, chat, owner) for one in instead_of])
            db.execute(_ADD, (exchange.id, now, question, body, chat, owner))
            self._prune(db)

    def change(self, owner: str, exchange: Exchange) -> None:
        """Keep what became of a question; one that was deleted meanwhile stays deleted."""
        body = self._encoded(exchange)
        with self._writer.transaction() as db:
            db.execute(_CHANGE, (body, exchange.id, owner))

    def rename(self, owner: str, chat: str, name: str) -> None:
        """Give a conversation a name; with '' it is called by its first question again."""
        kept = utf8(self._content.of_value(shortened(name)))
        with self._writer.transaction() as db:
            db.execute("UPDATE chats SET name = ? WHERE id = ? AND owner = ?", (kept, chat, owner))

    def delete(self, owner: str, chat: str) -> None:
        """Forget a conversation; the traces of its answers stay."""
        with self._writer.transaction() as db:
            if db.execute("DELETE FROM chats WHERE id = ? AND owner = ?", (chat, owner)).rowcount:
                db.execute("DELETE FROM exchanges WHERE chat = ?", (chat,))

    def _encoded(self, exchange: Exchange) -> str:
        return encode(exchange, keep=self._content.of_value)

    def _since(self) -> float:
        days = self._rules.keep_days
        return time.time() - days * DAY_S if days else 0.0

    def _prune(self, db: sqlite3.Connection) -> None:
        """Let go of what is too old, or too much."""
        db.execute("DELETE FROM exchanges WHERE asked_at < ?", (self._since(),))
        db.execute("DELETE FROM chats WHERE changed_at < ?", (self._since(),))
        if self._rules.max_mb and held_bytes(db) > self._rules.max_mb * 1_000_000:
            gone = db.execute(_OLDEST, (SHARE_LET_GO,)).fetchall()
            db.executemany("DELETE FROM exchanges WHERE chat = ?", gone)
            db.executemany("DELETE FROM chats WHERE id = ?", gone)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        there = self.path if self.path.exists() else None
        with translated(self.path, expected=EXPECTED), closing(connect(there, SCHEMA, wait_s=BUSY_S)) as db:
            yield db
