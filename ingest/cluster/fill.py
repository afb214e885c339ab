"""The run's side of a cluster: documents go out, what came of them comes back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ingest.cluster.connect import connected, nodes
from ingest.cluster.gather import Done, Gathering, unseen
from ingest.cluster.messages import Work, from_row, table, to_work
from ingest.cluster.work import Cutter, Order, Stager
from ingest.reading import Gone
from ingest.sources import Item, Vanished
from rag.errors import ConfigError, DocumentError, InputError
from rag.settings import Settings

# Documents that a worker takes at a time; should it be lost, they are read again.
WORK_DOCUMENTS = 4
# Parts that go to an embedder at a time. Most documents are one: many short texts embed faster together.
EMBED_PARTS = 64
# So much of a long document goes on to the embedders before the rest is parsed.
BLOCK_BYTES = 1_000_000


def require_shareable(settings: Settings, items: Sequence[Item]) -> None:
    """Raise ConfigError or InputError for what a cluster can't share."""
    if settings.store.kind != "server":
        raise ConfigError(
            "the embedded store can't be shared by a cluster",
            expected="store.kind = 'server', and store.url an address that every node reaches",
            remedy="start a Qdrant server and set both, or ingest without --engine ray",
        )
    page = next((item for item in items if item.source.startswith(("http://", "https://"))), None)
    if page:
        raise InputError(
            f"{page.source} can't be fetched by a cluster",
            expected="files or a bucket: many machines at once would flood a site",
            remedy="ingest it without --engine ray",
        )


def fill(order: Order, works: Sequence[Work]) -> Generator[list[Done], None, None]:
    """What came of each document, as it is certain, some at a time. Raises ClusterError and what workers raise."""
    items = {work.item.uri: work.item for work in works}
    gathering = Gathering(items.values())
    limit = order.settings.ingest.max_file_mb * 1_000_000
    with connected(order.settings) as ray:
        for rows in _pipeline(ray, order, works).iter_batches(batch_size=None, batch_format="pyarrow"):
            done = [gathering.add(from_row(row)) for row in rows.to_pylist()]
            yield [_checked(one, items, limit) for one in done if one is not None]
    yield list(gathering.lost())


def _pipeline(ray: Any, order: Order, works: Sequence[Work]) -> Any:
    """Documents -> parts -> what was staged, nothing of which runs before it is read."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.target_max_block_size = BLOCK_BYTES
    cutters, stagers = _workers(ray, order.settings)
    starts = range(0, len(works), WORK_DOCUMENTS)
    tables = [table([to_work(work) for work in works[start : start + WORK_DOCUMENTS]]) for start in starts]
    parts = ray.data.from_arrow(tables).map_batches(
        Cutter, fn_constructor_args=[order], batch_size=1, batch_format="pyarrow", num_cpus=1, compute=cutters
    )
    return parts.map_batches(
        Stager, fn_constructor_args=[order], batch_size=EMBED_PARTS, batch_format="pyarrow", num_cpus=1, compute=stagers
    )


def _workers(ray: Any, settings: Settings) -> tuple[Any, Any]:
    """How many workers of either kind, from the CPUs of the cluster and the settings."""
    cpus = nodes(ray)
    total, wish = sum(cpus.values()), settings.ingest.ray
    stagers = min(wish.embedders or len(cpus), total - 1)
    cutters = min(wish.parsers or total, total - stagers)
    pool = ray.data.ActorPoolStrategy
    return pool(min_size=1, max_size=cutters), pool(size=stagers)


def _checked(done: Done, items: dict[str, Item], max_bytes: int) -> Done:
    """What is gone for a node is removed only if it is gone for us too."""
    if not isinstance(done, Gone):
        return done
    try:
        with items[done.uri].fetch(max_bytes):
            return unseen(items[done.uri])
    except Vanished:
        return done
    except DocumentError:
        return unseen(items[done.uri])
