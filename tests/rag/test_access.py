"""Nobody finds what is not theirs to read: drawn users, groups, conditions and ways of searching, on both stores."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from rag.embed.lexical import Lexical
from rag.embed.scripted import ScriptedEmbedder
from rag.index import Index
from rag.scope import condition
from rag.search import Searcher
from rag.settings import Settings
from rag.store import Entry, Store
from rag.store.edge import EdgeStore
from rag.store.server import ServerStore
from rag.types import Chunk, FieldValue, Revision, Scope, Vectors
from rag.widen import widened

TRIALS = 10_000
TRIALS_A_CORPUS = 250
DOCUMENTS, CHUNKS = 8, 2
USERS = ("ada", "bob", "cy", "everyone", "")
GROUPS = ("people", "legal", "it", "ada", "user:ada")
TEAMS = ("red", "blue", "green")
WORDS = "leave travel hotel train budget security laptop parental salary review invoice badge parking lunch".split()
EMBEDDER, LEXICAL = ScriptedEmbedder("scripted:access"), Lexical("english")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a document is labelled with; its chunks all hold its name as a word."""

    name: str
    uri: str
    readers: tuple[str, ...]
    fields: Mapping[str, FieldValue]

    def is_for(self, asker: Asker) -> bool:
        """Written anew here, so that the product is not held against itself."""
        names = {"everyone", *(f"group:{group}" for group in asker.groups)}
        names |= {f"user:{asker.user}"} if asker.user else set()
        return bool(names & set(self.readers)) and all(self._holds(text) for text in asker.conditions)

    def _holds(self, text: str) -> bool:
        for sign in (">=", "!=", "<", "="):
            if sign in text:
                name, _, value = text.partition(sign)
                break
        if name == "path":
            return f"{self.uri}/".startswith(f"{value}/")
        has = self.fields.get(name)
        if sign == "!=":
            return has != value
        if sign == "=":
            return has in value.split(",")
        return has is not None and (has >= int(value) if sign == ">=" else has < int(value))  # type: ignore[operator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks and where, before it is a scope."""

    user: str
    groups: tuple[str, ...]
    conditions: tuple[str, ...]

    @property
    def scope(self) -> Scope:
        """As the product takes it."""
        return Scope(user=self.user, groups=self.groups, where=tuple(map(condition, self.conditions)))


@pytest.fixture(params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "edge":
        held: Store = EdgeStore(tmp_path / "x", embedder="a:b", dimension=EMBEDDER.dimension, lock_timeout_s=5)
        yield held
        held.close()
        return
    client = QdrantClient(":memory:")
    yield ServerStore(client, "x", embedder="a:b", dimension=EMBEDDER.dimension)
    client.close()


def test_nothing_out_of_bounds_is_found_in_any_way_of_searching(store: Store) -> None:
    draw = random.Random(20261126)  # noqa: S311 - for the same trials every time
    searchers = _searchers(store)
    retired: list[Revision] = []
    found = 0
    for round_ in range(TRIALS // TRIALS_A_CORPUS):
        documents = [_document(draw, number) for number in range(DOCUMENTS)]
        retired = _fill(store, documents, retired, digest=str(round_))
        for _ in range(TRIALS_A_CORPUS):
            found += _trial(draw.choice(searchers), documents, draw)
    assert found > TRIALS


def _trial(searcher: Searcher, documents: list[Document], draw: random.Random) -> int:
    """One question: how many hits it found, all of which are the asker's, and all of the asker's if it asks for all."""
    asker, is_for_all = _asker(draw), draw.random() < 0.3
    limit = DOCUMENTS * CHUNKS if is_for_all else draw.randint(1, 8)
    hits = searcher.find(" ".join(draw.choices(WORDS, k=3)), limit=limit, scope=asker.scope).hits
    read = widened(hits, searcher.index.store, neighbours=draw.choice((0, 1, 5)), scope=asker.scope)
    own = {document.name for document in documents if document.is_for(asker)}
    told = {word for hit in (*hits, *read) for word in hit.chunk.text.split() if word.startswith("document")}
    assert told <= own, asker
    if is_for_all:
        assert told == own, asker
    return len(hits)


def _asker(draw: random.Random) -> Asker:
    conditions = [
        f"team={draw.choice(TEAMS)}",
        f"team={draw.choice(TEAMS)},{draw.choice(TEAMS)}",
        f"team!={draw.choice(TEAMS)}",
        f"year>={draw.randint(2020, 2026)}",
        f"year<{draw.randint(2020, 2026)}",
        f"draft={draw.choice(('true', 'false'))}",
        f"path={draw.choice(('docs', 'docs/a', 'docs/b', 'doc'))}",
    ]
    return Asker(
        user=draw.choice(USERS),
        groups=tuple(draw.sample(GROUPS, draw.randint(0, 2))),
        conditions=tuple(draw.sample(conditions, draw.choice((0, 0, 1, 2)))),
    )


def _document(draw: random.Random, number: int) -> Document:
    readers = [f"user:{user}" for user in USERS[:3]] + [f"group:{group}" for group in GROUPS] + ["everyone"]
    fields: dict[str, FieldValue] = {"team": draw.choice(TEAMS), "year": draw.randint(2020, 2026)}
    fields |= {"draft": draw.choice(("true", "false"))}
    for name in draw.sample(sorted(fields), draw.choice((0, 0, 1))):
        del fields[name]
    return Document(
        name=f"document{number}",
        uri=f"docs/{draw.choice('ab')}/{number}.md",
        readers=tuple(draw.sample(readers, draw.randint(0, 2))),
        fields=fields,
    )


def _fill(store: Store, documents: list[Document], retired: list[Revision], *, digest: str) -> list[Revision]:
    """Replace what the store holds by chunks of these documents."""
    made = [Revision(uri=document.uri, digest=digest, chunks=CHUNKS) for document in documents]
    store.stage([entry for pair in zip(documents, made, strict=True) for entry in _entries(*pair)])
    store.publish(made, retired=retired)
    return made


def _entries(document: Document, made: Revision) -> Iterator[Entry]:
    for position, identifier in enumerate(made.chunk_ids):
        text = f"{document.name} {' '.join(WORDS[position::CHUNKS])}"
        chunk = Chunk(
            id=identifier,
            uri=document.uri,
            title="",
            headings=(),
            page=None,
            position=position,
            text=text,
            revision=made.digest,
            readers=document.readers,
            fields=document.fields,
        )
        (row,) = EMBEDDER.embed([text])
        yield Entry(chunk=chunk, vectors=Vectors(dense=tuple(row.tolist()), lexical=LEXICAL.passage(text)))


def _searchers(store: Store) -> list[Searcher]:
    """One for each way of searching."""
    settings = Settings()
    index = Index(version="1", settings=settings, store=store, embedder=EMBEDDER, lexical=LEXICAL)
    plain = settings.retrieve.model_copy(update={"duplicate_at": 1.0})
    ways = product((0.0, 0.6, 1.0), (1, 5, DOCUMENTS * CHUNKS))
    chosen = [plain.model_copy(update={"dense_weight": weight, "depth": depth}) for weight, depth in ways]
    return [Searcher(settings.model_copy(update={"retrieve": retrieve}), index) for retrieve in chosen]
