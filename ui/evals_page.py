"""The page of evals: runs over time, two of them compared, and what the gate let through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from rag.engine import Engine
from rag.errors import PlumbError
from rag.llm.price import cost_text
from rag.settings import Settings
from ui.command import said
from ui.compared import draw_compared
from ui.markup import literal
from ui.reviewing import may_review, refused
from ui.run_chart import draw_run_chart, figure_name, interval, moment, version

Told = Mapping[str, Any]
# The columns of the table; of the other figures one at a time is drawn.
COLUMNS = {
    "correct": "Answerable, right",
    "recall_at_5": "Recall@5 of sources",
    "declined_unanswerable": "Unanswerable, declined",
    "supported": "Answers fully supported",
}


def draw_evals(engine: Engine, show: Callable[[str], None]) -> None:
    """The whole page; `show` leads to the trace with an id."""
    st.title("Evals")
    if not may_review(engine.settings):
        refused()
        return
    for part in (partial(_draw_runs, engine, show), partial(_draw_gate, engine.settings)):
        # What one command can't tell keeps nothing from the others.
        try:
            part()
        except PlumbError as error:
            st.error(literal(str(error)), icon=":material/error:")


def _draw_runs(engine: Engine, show: Callable[[str], None]) -> None:
    kept = engine.settings.data_path
    files = (*sorted((kept / "runs").glob("*.json")), kept / "evals" / "baselines.json")
    found = said("eval", "runs", "--json", reads=files)
    for file in found["unreadable"]:
        st.warning(literal(f"{file['path']} is no run: {file['why']}"), icon=":material/warning:")
    if not found["runs"]:
        st.info("No run is kept yet. `plumb eval run QUESTIONS.jsonl` makes one.", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = list(dict.fromkeys(run["dataset"]["name"] for run in found["runs"]))
        dataset = st.selectbox("Dataset", names, key="evals-dataset")
        runs = [run for run in found["runs"] if run["dataset"]["name"] == dataset]
        metric = _chosen_metric(runs, found["metrics"])
    st.subheader("Runs over time")
    draw_run_chart(runs, metric)
    _draw_table(runs)
    _draw_choice(engine, runs, show)


def _chosen_metric(runs: Sequence[Told], metrics: Sequence[Told]) -> Told:
    """One of the figures that these runs have, at first the one that is asked for most, or of those that they lack."""
    had = {name for run in runs for name, figure in run["figures"].items() if figure["value"] is not None}
    by_name = {one["name"]: one for one in metrics if one["name"] in had or one["name"] in COLUMNS}
    names = [name for name in dict.fromkeys([*COLUMNS, *by_name]) if name in by_name]
    first = next((place for place, name in enumerate(names) if name in had), 0)
    name = st.selectbox(
        "Figure", names, index=first, format_func=lambda name: figure_name(by_name[name]), key="evals-figure"
    )
    return by_name[name]


def _draw_table(runs: Sequence[Told]) -> None:
    st.dataframe([_row(run) for run in runs], hide_index=True)
    st.caption("Newest first. Times are in UTC; in brackets 95 % intervals, in percent.")


def _row(run: Told) -> dict[str, object]:
    least = f", at least {cost_text(run['known_cost'])}" if run["cost"] is None and run["known_cost"] else ""
    return {
        "When": moment(run["started"]),
        "Baseline": ", ".join(run["baselines"]),
        "Asked": f"{run['asked']} of {run['cases']}",
        "Times": run["repeat"],
        "Failed": run["failed"],
        **{label: interval(run["figures"].get(name)) for name, label in COLUMNS.items()},
        "Models": "; ".join(f"{role} {', '.join(names)}" for role, names in run["models"].items()),
        "Config": run["config_hash"],
        "Index": f"{run['index']['name']}, {run['index']['chunks']:,} chunks",
        "Cost": f"{cost_text(run['cost'])}{least}",
        "Questions": version(run),
        "Run": run["id"],
    }


def _draw_choice(engine: Engine, runs: Sequence[Told], show: Callable[[str], None]) -> None:
    """Two runs to choose, at first the newest against the baseline of the gate or the one before it."""
    st.subheader("Two runs compared")
    if len(runs) < 2:
        st.info("There is one run of this dataset. Ask again after a change: `plumb eval run`.", icon=":material/info:")
        return
    by_path = {run["path"]: run for run in runs}
    paths = list(by_path)
    named = [path for path in paths[1:] if engine.settings.gate.baseline in by_path[path]["baselines"]]
    with st.container(horizontal=True):
        first, second = (
            st.selectbox(
                label,
                paths,
                index=paths.index(start),
                format_func=lambda path: _name(by_path[path]),
                key=f"evals-{label}-{runs[0]['dataset']['name']}",
            )
            for label, start in (("First", (named or paths[1:])[0]), ("Second", paths[0]))
        )
    found = said("eval", "compare", first, second, "--json", reads=(Path(first), Path(second)))
    draw_compared(engine, found, show)


def _name(run: Told) -> str:
    """What tells a run in a list; two files may hold the same run."""
    file = Path(run["path"]).stem
    names = f" [{', '.join(run['baselines'])}]" if run["baselines"] else ""
    return f"{run['id']}{f' ({file})' if file != run['id'] else ''}{names}"


def _draw_gate(settings: Settings) -> None:
    evals = settings.data_path / "evals"
    st.subheader("What the gate decided")
    decided = said("eval", "decisions", "--json", reads=(evals / "decisions.jsonl",))
    if decided:
        st.dataframe([_decision(one) for one in decided], hide_index=True)
    else:
        st.info("Nothing so far. `plumb eval gate` decides on the newest run.", icon=":material/info:")
    st.subheader("What was promoted")
    promoted = said("promote", "--history", "--json", reads=(evals / "promotions.jsonl",))
    if promoted:
        st.dataframe([_promotion(one) for one in reversed(promoted)], hide_index=True)
    else:
        st.info("Nothing so far. `plumb promote --set KEY=VALUE` changes what passes.", icon=":material/info:")


def _decision(one: Told) -> dict[str, object]:
    return {
        "When": moment(one["at"]),
        "Verdict": one["verdict"],
        "Why": "; ".join(one["reasons"]),
        "Cases": one["cases"],
        "Baseline": f"{one['baseline']}, {one['baseline_run']}",
        "Run": one["run"],
    }


def _promotion(one: Told) -> dict[str, object]:
    change = one["change"]
    parts = [f"{key} = {value}" for key, value in change["settings"].items()]
    parts += [f"index {change['index']}"] if change["index"] else []
    parts += [change["prompt"]] if change["prompt"] else []
    return {
        "When": moment(one["at"]),
        "Change": "; ".join(parts),
        "State": one["state"],
        "Run": one["id"],
    }
