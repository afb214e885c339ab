"""What of two observations differs: signals, corrections and attribution, on answers that are made up with a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals.drift import correct, permute
from evals.drift.canaries import Canary, Spoken, load_canaries
from evals.drift.compare import Report, compare, judged
from evals.drift.looks import look
from evals.drift.observation import Circumstances, Observation, Said, find, load, save
from evals.drift.parsers import parser_of
from evals.drift.quality import is_right
from evals.drift.since import since
from evals.drift.unit import unit, units
from rag.embed.scripted import ScriptedEmbedder
from rag.errors import InputError
from rag.settings import Settings

WORDS = "leave travel portal team security backup server price contract order invoice office report plan budget".split()
EXAMPLES = Path(__file__).parents[2] / "examples"
EMBEDDER = ScriptedEmbedder("scripted:words")
Change = Callable[[int, str], str]


def as_it_was(number: int, text: str) -> str:
    return text


def observed(
    change: Change = as_it_was, *, count: int = 60, seed: int = 0, parser: str = "text@1", repeat: int = 1
) -> Observation:
    """Answers of some sentences about the prompt's topic, or of a label, each then changed."""
    drawn = random.Random(seed)  # noqa: S311
    is_label = parser.startswith("label")
    canaries, answers = [], []
    for number in range(count):
        right = "yes" if number % 2 else "no"
        canaries.append(
            Canary(
                id=f"c{number}",
                messages=(Spoken(role="user", content=f"prompt {number}"),),
                parser=parser,
                expected=(right,) if is_label else (),
            )
        )
        for repetition in range(repeat):
            words = [drawn.choice(WORDS) for _ in range(drawn.randint(8, 20))]
            sentence = f"{WORDS[number % len(WORDS)]} {' '.join(words)}.".capitalize()
            label = right if drawn.random() < 0.9 else "no"
            text = change(number, label if is_label else sentence)
            answers.append(
                Said(
                    canary=f"c{number}",
                    repetition=repetition,
                    text=text,
                    requested_model="openai:m",
                    resolved_model="m-1",
                    fingerprint="f1",
                    finish_reason="stop",
                )
            )
    return Observation(
        id=f"o{seed}",
        started=f"2026-01-{seed + 1:02}T00:00:00+00:00",
        ended="",
        source="made",
        source_sha256="",
        canaries=tuple(canaries),
        answers=tuple(answers),
    )


def report(change: Change, *, parser: str = "text@1", count: int = 60) -> Report:
    before, after = observed(parser=parser, count=count), observed(change, parser=parser, count=count, seed=1)
    return compare(before, after, embedder=EMBEDDER)


def names(told: Report) -> set[str]:
    return {signal.name for signal in told.fired}


def families(told: Report) -> set[str]:
    return {signal.family for signal in told.fired}


def test_the_same_model_is_no_drift() -> None:
    told = report(as_it_was)
    assert (told.outcome, told.fired, told.attribution) == ("same", (), None)


def test_fences_around_answers_are_form_and_nothing_else() -> None:
    told = report(lambda number, text: f"```\n{text}\n```")
    assert {"fences"} <= names(told)
    assert families(told) == {"form"}
    fences = next(signal for signal in told.fired if signal.name == "fences")
    assert (fences.before, fences.after, fences.effect, fences.p < 1e-12) == (0, 1, 1, True)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda number, text: f"{text} {text[:40]}" if number % 2 else text, "length"),
        (lambda number, text: f"- {text}" if number % 3 == 0 else text, "markdown"),
        (lambda number, text: "I'm sorry, but I can't help with that." if number % 4 == 0 else text, "refusals"),
        (lambda number, text: text.replace(".", "!") if number % 2 else text, "style"),
        (lambda number, text: "Das steht so nicht in dem Text, und wir wissen es auch nicht.", "language"),
    ],
)
def test_a_small_change_of_form_is_found(change: Change, name: str) -> None:
    before = observed(lambda number, text: f"This is what it says of the {text}", count=80)
    after = observed(lambda number, text: change(number, f"This is what it says of the {text}"), count=80, seed=1)
    told = compare(before, after, embedder=EMBEDDER)
    assert name in names(told)


def test_other_labels_are_content_and_quality_but_no_other_form() -> None:
    told = report(lambda number, text: "no", parser="label:[yes,no]@1")
    assert families(told) == {"content", "quality"}
    assert {"labels", "right"} <= names(told)
    right = next(signal for signal in told.fired if signal.name == "right")
    assert right.effect < 0
    assert right.effect_low <= right.effect <= right.effect_high


def test_what_goes_another_way_at_every_prompt_shows_against_the_models_own_noise() -> None:
    parser = "label:[yes,no]@1"

    def steady(number: int, text: str) -> str:
        return "yes" if number % 3 else "no"

    def crossed(number: int, text: str) -> str:
        # As many from yes to no as from no to yes, among right and wrong ones alike.
        return (
            {"yes": "no", "no": "yes"}[steady(number, text)] if number % 12 in (0, 4, 3, 11) else steady(number, text)
        )

    before, after = observed(steady, parser=parser, repeat=2), observed(crossed, parser=parser, repeat=2, seed=1)
    assert names(compare(before, after, embedder=EMBEDDER)) == {"same prompt"}
    again = observed(steady, parser=parser, repeat=2, seed=1)
    assert compare(before, again, embedder=EMBEDDER).outcome == "same"


def test_without_an_embedder_meaning_is_missing_and_the_rest_is_told() -> None:
    told = compare(observed(), observed(lambda number, text: f"# {text}", seed=1), embedder=None)
    assert told.missing["meaning"] == "no embedder is at hand"
    assert told.outcome == "drift"


def test_false_alarms_stay_rare_in_halves_of_one_version() -> None:
    whole = units(observed(count=80), EMBEDDER)
    fired = 0
    for seed in range(40):
        drawn = random.Random(seed).sample(whole, len(whole))  # noqa: S311
        found, _, _ = judged(drawn[:40], drawn[40:], look=1, paired=False, draws=499)
        fired += any(signal.fires for signal in found)
    assert fired <= 4


def _only(whole: Observation, ids: list[str]) -> Observation:
    return replace(
        whole,
        canaries=tuple(canary for canary in whole.canaries if canary.id in ids),
        answers=tuple(said for said in whole.answers if said.canary in ids),
    )


def test_unpaired_finds_a_large_change() -> None:
    whole = observed()
    ids = [canary.id for canary in whole.canaries]
    changed = observed(lambda number, text: f"**{text}**", seed=1)
    told = compare(_only(whole, ids[:30]), _only(changed, ids[30:]), embedder=EMBEDDER, paired=False)
    assert "markdown" in names(told)
    assert not told.paired


def test_a_later_look_wants_more() -> None:
    levels = [correct.level_of(number) for number in range(1, 2000)]
    assert sum(levels) < correct.ALPHA
    assert levels == sorted(levels, reverse=True)
    fenced = observed(lambda number, text: f"```\n{text}\n```" if number < 11 else text)
    assert "fences" in names(compare(observed(), fenced, embedder=None))
    assert "fences" not in names(compare(observed(), fenced, embedder=None, look=10))


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (lambda now: _only(now, ["c1", "c2", "c3"]), "too few canaries: with 3"),
        (lambda now: replace(now, canaries=tuple(replace(c, id=f"x{c.id}") for c in now.canaries),
                             answers=tuple(replace(a, canary=f"x{a.canary}") for a in now.answers)),
         "these are other canaries"),
        (lambda now: replace(now, answers=tuple(replace(a, error="down", text="") if n % 3 else a
                                                for n, a in enumerate(now.answers))),
         "40 of 60 calls failed"),
    ],
)  # fmt: skip
def test_what_cant_be_found_out_says_why(spoilt: Callable[[Observation], Observation], why: str) -> None:
    told = compare(observed(), spoilt(observed(seed=1)), embedder=EMBEDDER)
    assert told.outcome == "unknown"
    assert why in told.unknown[0]


def test_a_canary_that_was_changed_is_left_out() -> None:
    now = observed(seed=1)
    now = replace(now, canaries=(replace(now.canaries[0], expected=("other",)), *now.canaries[1:]))
    told = compare(observed(), now, embedder=EMBEDDER)
    assert (told.prompts, told.left_out) == (59, 1)


def of_model(one: Observation, **facts: str) -> Observation:
    return replace(one, answers=tuple(replace(said, **facts) for said in one.answers))  # type: ignore[arg-type]


def test_the_cause_is_told_where_it_can_be() -> None:
    before, after = observed(), observed(lambda number, text: f"# {text}", seed=1)

    def cause(now: Observation) -> str:
        told = compare(before, now, embedder=None).attribution
        assert told
        return told.because

    assert cause(after).startswith("model (unannounced): nothing of ours differs")
    assert "fingerprint f1 → f2" in cause(of_model(after, fingerprint="f2"))
    assert "resolved model m-1 → m-2" in cause(of_model(after, resolved_model="m-2"))
    prompted = replace(after, circumstances=Circumstances(prompts={"answer": "4 (beef)"}))
    assert cause(prompted) == "prompt: answer none → 4 (beef)"
    both = compare(before, of_model(prompted, resolved_model="m-2"), embedder=None).attribution
    assert both
    assert both.because.startswith("can't be told apart: model: resolved model m-1 → m-2; prompt")
    assert "ask again with the old prompt" in both.to_tell


def test_another_fingerprint_alone_is_drift_of_the_model() -> None:
    told = compare(observed(), of_model(observed(seed=1), fingerprint="f2"), embedder=EMBEDDER)
    assert (told.outcome, told.fired) == ("drift", ())


def test_a_candidate_that_stood_in_once_is_no_drift() -> None:
    now = observed(seed=1)
    first, *others = now.answers
    other = {"requested_model": "openai:n", "resolved_model": "n-7", "fingerprint": "g1"}
    stood_in = replace(now, answers=(replace(first, **other), *others))  # type: ignore[arg-type]
    told = compare(observed(), stood_in, embedder=EMBEDDER)
    assert (told.outcome, told.model) == ("same", ())
    assert told.notes["answered by"].endswith("openai:n 1")
    taken_over = compare(observed(), of_model(now, **other), embedder=EMBEDDER)
    assert [change.told for change in taken_over.model] == ["model openai:m → openai:n"]
    # What a server says of the same candidate is news, however few answers it is said of.
    updated = replace(now, answers=(replace(first, resolved_model="m-2"), *others))
    assert compare(observed(), updated, embedder=EMBEDDER).outcome == "drift"


def test_settings_that_reach_no_canary_are_no_suspects() -> None:
    before = replace(observed(), circumstances=Circumstances(config={"ui": {"port": 1}, "local": {"threads": 1}}))
    after = replace(observed(seed=1), circumstances=Circumstances(config={"ui": {"port": 2}, "local": {"threads": 2}}))
    told = compare(before, after, embedder=None)
    assert told.aside == ("ui.port",)
    assert [change.told for change in told.ours] == ["local.threads 1 → 2"]


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        ("label:[Yes,No]", "Step 1: No doubt.\n\nAnswer: [Yes].", "Yes"),
        ("label:[Yes,No]", "No, it is divisible by 7. Yes.", "No"),
        ("label:[Yes,No]", "It is both yes and no", None),
        ("label:[Yes,No]", "Nobody knows", None),
        ("choice", "(C). Hurting a little", "C"),
        ("choice", "**Answer:** B", "B"),
        ("choice", "It is subjective and depends on (A) or (B)", None),
        ("number", "4 + 5 = 9, so the answer is 1,028.50 euros of 2,000.", "1028.5"),
        ("number", "\\boxed{10} of 12", "10"),
        ("number", "Das sind 0,38 EUR", "0.38"),
        ("number", "none", None),
        ("json", 'Sure:\n```json\n{"b": 1, "a": [2]}\n```', '{"a": [2], "b": 1}'),
        ("json", '{"b": 1', None),
        ("code", "Here:\n```python\ndef f():\n    return 1  \n```\nDone.", "def f():\n    return 1"),
        ("text", "  ", None),
    ],
)
def test_parsers_read_what_is_there_and_nothing_else(spec: str, text: str, value: str | None) -> None:
    read = parser_of(spec).read(text)
    assert read.value == value
    assert bool(read.why) == (value is None)


HOSTILE = ("[", "[ ", "** ", "9", "```\n", '{"a":', "1.", "- ", "| ", "1,000", "\\boxed{", "(A) (", "\n", "Yes")


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_answer_is_read_in_no_time(piece: str) -> None:
    text = piece + 20_000 // len(piece) * piece.lstrip("[*") + piece * 5_000
    for spec in ("label:[yes,no]", "choice", "number", "json", "code", "text"):
        canary = Canary(id="c", messages=(Spoken(role="user", content="?"),), parser=parser_of(spec).spec)
        assert unit(canary, [Said(canary="c", text=text)], {}).id == "c"


def test_a_parser_keeps_its_version() -> None:
    assert parser_of("label:[yes,no]").spec == "label:[yes,no]@1"
    for unknown in ("number@9", "label", "choice:[a]", "nonsense", ""):
        with pytest.raises(InputError):
            parser_of(unknown)


def test_code_is_right_by_its_tree_and_a_verdict_from_elsewhere_wins() -> None:
    code = Canary(
        id="c", messages=(Spoken(role="user", content="?"),), parser="code@1", expected=("def f(a): return a",)
    )
    fenced = Said(canary="c", text="```python\ndef f(a):\n    # given\n    return a\n```")
    assert is_right(code, fenced) == 1.0
    assert is_right(code, replace(fenced, text="def f(b): return b")) == 0.0
    assert is_right(code, replace(fenced, graded=0.0)) == 0.0


def test_a_cited_passage_is_no_number() -> None:
    asked = Canary(id="c", question="?", passages=("There are 28.",), parser="number@1", expected=("28",))
    assert is_right(asked, Said(canary="c", text="There are 28 days [1].")) == 1.0


def test_exact_tests_are_exact() -> None:
    worse = np.array([-1.0] * 8 + [0.0] * 12)
    assert permute.swapped(worse).p == pytest.approx(2 / 2**8)
    assert permute.swapped(np.array([-1.0] * 7 + [1.0])).p == pytest.approx(2 * 9 / 2**8)
    table = permute.shuffled(np.array([1.0] * 5), np.array([0.0] * 5))
    assert table.p == pytest.approx(2 / math.comb(10, 5))
    mixed = permute.swapped(np.array([1.0, 2.0, 3.0, 4.0]))
    assert mixed.p == pytest.approx(2 / 16, abs=0.01)


def test_holm_counts_only_signals_that_could_fire() -> None:
    small, never = permute.Chance(p=0.004, least=1e-9), permute.Chance(p=0.5, least=0.5)
    alone = correct.bounds({"a": small, **{str(number): never for number in range(9)}}, level=0.005)
    assert alone["a"] == pytest.approx(0.005)
    assert alone["3"] == 0.0
    many = correct.bounds({str(number): small for number in range(10)}, level=0.005)
    assert max(many.values()) == pytest.approx(0.0005)


def test_since_when_is_where_the_row_breaks() -> None:
    found = since(["d0", "d1", "d2", "d3", "d4"], [0.0, 0.02, -0.03, 0.6, 0.55])
    assert (found.after, found.by) == ("d2", "d3")


def test_looks_are_counted_once_each(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    assert [look(settings, "ref", now) for now in ("a", "b", "a", "c")] == [1, 2, 1, 3]
    assert look(settings, "other", "a") == 1


def test_an_observation_is_kept_whole_and_found_again(tmp_path: Path) -> None:
    one = replace(observed(), name="march")
    save(one, tmp_path / "new" / "o.json")
    assert load(tmp_path / "new" / "o.json") == one
    assert find("march", [one]) is one
    assert find(str(tmp_path / "new" / "o.json"), []) == one
    with pytest.raises(InputError, match="no observation"):
        find("april", [one])


def test_the_example_canaries_are_canaries() -> None:
    told = load_canaries(EXAMPLES / "canaries.jsonl")
    assert len(told.canaries) >= 20
    assert {canary.role for canary in told.canaries} == {"answer"}
    for canary in told.canaries:
        text = " ".join(canary.expected) if canary.parser == "text@1" else "".join(canary.expected[:1])
        assert is_right(canary, Said(canary=canary.id, text=text)) in (1.0, None)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "a"}', "either 'prompt', or 'messages', or 'question'"),
        ('{"id": "a", "prompt": "x", "parser": "labl"}', "unknown parser 'labl'"),
        (
            '{"id": "a", "prompt": "x", "parser": "label:[yes,no]", "expected": ["Yes.", "maybe"]}',
            "line 1: 'a' expects 'maybe', which the parser label:[yes,no]@1 never reads; expected one of yes, no; ",
        ),
        (
            '{"id": "a", "prompt": "x", "parser": "choice", "expected": "AB"}',
            "choice@1 never reads; expected one letter",
        ),
        (
            '{"id": "a", "prompt": "x", "parser": "number", "expected": "28 days"}',
            "never reads; expected a number, as 28",
        ),
        (
            '{"id": "a", "prompt": "x", "parser": "json", "expected": "28"}',
            "never reads; expected a JSON object or list",
        ),
        ('{"id": "a", "prompt": "x", "why": 1}', "'why'"),
        ('{"id": "a", "question": "x"}', "'question' with 'passages'"),
        ('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}', "the id 'a' twice"),
        ("", "holds no canaries"),
        ("[", "line 1"),
    ],
)
def test_a_file_that_holds_no_canaries_is_refused(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "c.jsonl").write_text(line)
    with pytest.raises(InputError) as caught:
        load_canaries(tmp_path / "c.jsonl")
    assert told in str(caught.value)
