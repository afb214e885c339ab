"""What a trace costs an answer: its time, and the processor's, beside the Langfuse SDK noting the same.

The chat model is a server on the loopback that answers at once, with the settings of the profile 'vllm'; the traces are
the real ones. The SDK is given the same steps with the same texts, and an exporter that throws them away at once: what
is measured is what it does in the application.
"""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

from evals.bench.figures import Line, Measured, Note
from evals.bench.project import QUESTIONS, require_examples
from evals.bench.quoting_server import quoting_engine, quoting_server
from evals.dataset import load_dataset
from evals.metrics import percentile
from rag.engine import Engine
from rag.llm import make_chains
from rag.observe.codec import encode
from rag.observe.mask import masked, patterns
from rag.observe.spool import Spool
from rag.types import Trace

ASKED, WRITTEN = 300, 500
LATER_MS, CPU_MS = 5.0, 1.0


def measure(*, limit: int | None = None) -> Iterator[Line]:
    """How much later an answer is, and the processor's time of a trace, against the bars and the SDK."""
    require_examples()
    with tempfile.TemporaryDirectory() as folder, quoting_server(delay_s=0) as url:
        engine = quoting_engine(Path(folder), url)
        with closing(engine.searcher.opened.store):
            with_ms, without_ms = _asked(engine, limit or ASKED)
            trace = engine.spool.trace(engine.spool.traces(limit=1)[0].id)
        yield Note(text=f"a trace: {len(trace.steps)} steps, {len(json.dumps(_plain(trace))) / 1000:.0f} kB")
        later = percentile(with_ms, 0.95) - percentile(without_ms, 0.95)
        yield Measured(
            name="an answer is later, p95",
            value=max(later, 0.0),
            reference=LATER_MS,
            against="the bar",
            unit="ms",
            highest=True,
            note=f"p95 {percentile(with_ms, 0.95):.1f} and {percentile(without_ms, 0.95):.1f} ms",
        )
        yield from _cpu(trace, Path(folder), limit or WRITTEN)


def _cpu(trace: Trace, folder: Path, times: int) -> Iterator[Line]:
    spool = Spool(folder / "apart" / "traces.db", destinations=("langfuse",))
    ids = count()
    ours = _cpu_ms(lambda: spool.add_trace(replace(trace, id=f"{next(ids):032x}")), times)
    yield Measured(
        name="processor time of a trace",
        value=ours,
        reference=CPU_MS,
        against="the bar",
        unit="ms",
        highest=True,
        note="written to the disk",
    )
    mask = patterns({})
    yield Note(text=f"the same masked: {_cpu_ms(lambda: masked(trace, mask), times) + ours:.1f} ms")
    theirs = _cpu_ms(_sdk(trace), times)
    yield Measured(
        name="processor time of a trace",
        value=ours,
        reference=theirs,
        against="the Langfuse SDK's, in memory:",
        unit="ms",
        highest=True,
        is_bar=False,
    )


def _asked(engine: Engine, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each answer with traces and without, taken in turns so that both see the same machine."""
    questions = list(islice(cycle([case.question for case in load_dataset(QUESTIONS).cases]), times))
    for question in questions:
        engine.ask(question)
    trace = engine.settings.trace
    off = Engine(searcher=engine.searcher, answer=make_chains(engine.settings, "answer")["answer"])
    off.settings = engine.settings.model_copy(update={"trace": trace.model_copy(update={"enabled": False})})
    pairs = [(_ms(engine, question), _ms(off, question)) for question in questions]
    return [first for first, _ in pairs], [second for _, second in pairs]


def _ms(engine: Engine, question: str) -> float:
    began = time.perf_counter()
    engine.ask(question)
    return (time.perf_counter() - began) * 1000


def _cpu_ms(call: Callable[[], Any], times: int) -> float:
    """Milliseconds of the processor for a call, in all threads of this process; the first is not counted."""
    call()
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) * 1000 / times


def _sdk(trace: Trace) -> Callable[[], None]:
    """The same steps as the Langfuse SDK notes them."""
    from langfuse import Langfuse
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        """Takes everything at once."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the exporter's signature
            """Take them."""
            return SpanExportResult.SUCCESS

    client = Langfuse(
        public_key="pk-lf-bench",
        secret_key="sk-lf-bench",  # noqa: S106 - nobody's
        base_url="http://127.0.0.1:9",
        span_exporter=Nowhere(),
    )

    def note() -> None:
        root = client.start_observation(name=trace.name, as_type="chain", input=trace.input, output=trace.output)
        root.update(metadata=_plain(trace)["attributes"])
        for step in trace.steps:
            facts = dict(step.attributes)
            said = {"input": facts.pop("messages", None), "output": facts.pop("output", None)}
            root.start_observation(name=step.name, as_type="span", metadata=facts, **said).end()
        root.end()

    return note


def _plain(trace: Trace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(trace))
    return found
