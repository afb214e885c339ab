"""Several models as one: who is asked, who answers, and what is told of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from chat_server import KEY, FakeChat

from rag.errors import ConfigError, ModelError
from rag.llm import Candidate, Chain, Restart, make_chains, make_llm, pinned
from rag.llm.protocol import LLM, Piece, Sampling, complete
from rag.roles import CandidateSettings, Roles
from rag.settings import Provider, Settings
from rag.types import Attempt, Generation, Message, Usage

PROMPT = [Message(role="user", content="How many days?")]
SAMPLING = Sampling(temperature=0, max_tokens=50)
ANSWER = "Thirty days [1]."
# Long enough for an answer on a busy machine, and short: a wait that is meant to be in vain.
PATIENT_S, SOON_S = 20.0, 0.05

Scripted = Callable[..., LLM]


@pytest.fixture
def hosted(server: FakeChat, monkeypatch: pytest.MonkeyPatch) -> LLM:
    """The model of the server; its client gives up on silence only after 20 s."""
    monkeypatch.setenv("FAKE_KEY", KEY)
    provider = Provider(base_url=server.url, api_key_env="FAKE_KEY", timeout_s=PATIENT_S)
    return make_llm(Settings(providers={"fake": provider}), "fake:small", role="answer")


def candidate(llm: LLM, *, sleep: Callable[[float], None] = lambda _: None, **limits: float) -> Candidate:
    given = {"first_token_s": PATIENT_S, "retries": 0, **limits}
    return Candidate(llm, CandidateSettings.model_validate(given), sleep=sleep)


def chain(*members: LLM | Candidate) -> Chain:
    return Chain([each if isinstance(each, Candidate) else candidate(each) for each in members])


def outcomes(attempts: Sequence[object]) -> list[tuple[str, str]]:
    return [(each.model, each.outcome) for each in attempts if isinstance(each, Attempt)]


def drained(of: Chain) -> tuple[list[Piece], Generation]:
    *pieces, last = of.stream(PROMPT, SAMPLING)
    assert isinstance(last, Generation)
    return pieces, last


# Who answers.


def test_the_first_choice_answers_and_its_attempt_is_told(hosted: LLM, server: FakeChat, scripted: Scripted) -> None:
    pieces, last = drained(chain(hosted, scripted("b", reply="Unasked.")))
    assert "".join(str(piece) for piece in pieces) == last.text == ANSWER
    assert (last.requested_model, last.resolved_model) == ("fake:small", "resolved-model-2026")
    (attempt,) = last.attempts
    assert (attempt.model, attempt.outcome, attempt.reason, attempt.tries) == ("fake:small", "answered", "", 1)
    assert attempt.first_token_ms is not None
    assert last.first_token_ms == attempt.first_token_ms <= attempt.total_ms


@pytest.mark.parametrize("behaviour", [401, 404, 429, 500, "page"])
def test_where_one_fails_the_next_answers_before_a_word_is_seen(
    hosted: LLM, server: FakeChat, scripted: Scripted, behaviour: str | int
) -> None:
    server.behaviour = behaviour
    pieces, last = drained(chain(hosted, scripted("b", reply="Thirty days.")))
    assert "".join(str(piece) for piece in pieces) == "Thirty days."
    assert last.requested_model == "scripted:b.json"
    failed, answered = last.attempts
    assert (failed.model, failed.outcome, failed.first_token_ms) == ("fake:small", "failed", None)
    assert "fake:small at http://127.0.0.1" in failed.reason
    assert KEY not in failed.reason
    assert (answered.model, answered.outcome) == ("scripted:b.json", "answered")
    assert last.total_ms >= failed.total_ms + answered.total_ms - 0.2


def test_where_one_is_slow_the_next_answers_and_the_slow_stream_is_closed(
    hosted: LLM, server: FakeChat, scripted: Scripted
) -> None:
    server.behaviour = "late"
    slow = candidate(hosted, first_token_s=SOON_S)
    pieces, last = drained(chain(slow, scripted("b", reply="Thirty.")))
    assert pieces == ["Thirty."]
    assert outcomes(last.attempts) == [("fake:small", "slow"), ("scripted:b.json", "answered")]
    assert "gave no token in 0.05 s" in last.attempts[0].reason
    server.released.set()
    assert server.left_alone.wait(10)


def test_in_one_question_who_failed_is_not_asked_again(hosted: LLM, server: FakeChat, scripted: Scripted) -> None:
    server.behaviour = 500
    whole = chain(hosted, scripted("b", reply="Thirty days."))
    question = pinned(whole)
    tried = [outcomes(drained(question)[1].attempts) for _ in range(3)]
    answered = ("scripted:b.json", "answered")
    assert tried == [[("fake:small", "failed"), answered], [answered], [answered]]
    # The next question begins with the first choice.
    assert outcomes(drained(pinned(whole))[1].attempts) == [("fake:small", "failed"), answered]
    alone = scripted("c", reply="Ten days.")
    assert pinned(alone) is alone


def test_a_stream_that_dies_half_way_is_begun_anew_visibly(scripted: Scripted) -> None:
    dying = scripted("a", reply="Forty days", error="out of memory")
    pieces, last = drained(chain(dying, scripted("b", reply="Thirty days.")))
    assert pieces[:2] == ["Forty ", "days"]
    assert pieces[2] == Restart(reason="scripted:a.json: out of memory")
    assert pieces[3:] == ["Thirty ", "days."]
    assert last.text == "Thirty days."
    assert outcomes(last.attempts) == [("scripted:a.json", "broken"), ("scripted:b.json", "answered")]


@pytest.mark.parametrize("behaviour", ["cut", "short", "error", "nonsense", "odd"])
def test_however_a_server_breaks_off_the_next_begins_anew(
    hosted: LLM, server: FakeChat, scripted: Scripted, behaviour: str
) -> None:
    server.behaviour = behaviour
    pieces, last = drained(chain(hosted, scripted("b", reply="Thirty.")))
    assert last.text == "Thirty."
    assert last.attempts[0].outcome == "broken"
    assert [type(piece) for piece in pieces[-2:]] == [Restart, str]


def test_an_answer_that_takes_too_long_is_begun_anew(hosted: LLM, server: FakeChat, scripted: Scripted) -> None:
    now, limits = [0.0], CandidateSettings(first_token_s=PATIENT_S, total_s=60)
    server.behaviour = "stall"
    stream = chain(Candidate(hosted, limits, clock=lambda: now[0]), scripted("b", reply="Thirty.")).stream(
        PROMPT, SAMPLING
    )
    assert next(stream) == "Thirty "
    now[0] = 60
    *_, restart, piece, last = stream
    assert restart == Restart(reason="fake:small was not done in 60 s")
    assert piece == "Thirty."
    assert isinstance(last, Generation)


def test_where_none_answers_all_are_named_with_their_reasons(hosted: LLM, server: FakeChat, scripted: Scripted) -> None:
    server.behaviour = "echo"
    with pytest.raises(ModelError, match="no model answered") as failed:
        complete(chain(hosted, scripted("b", error="out of memory")), PROMPT, SAMPLING)
    told = str(failed.value)
    assert "fake:small at http://127.0.0.1" in told
    assert "answered 401: no reason given, then scripted:b.json: out of memory" in told
    assert KEY not in told
    assert failed.value.retryable
    assert outcomes(failed.value.attempts) == [("fake:small", "failed"), ("scripted:b.json", "failed")]


def test_one_model_alone_fails_with_its_own_words(hosted: LLM, server: FakeChat) -> None:
    server.behaviour = 401
    with pytest.raises(ModelError, match=r"^fake:small at .* answered 401") as failed:
        complete(chain(hosted), PROMPT, SAMPLING)
    assert not failed.value.retryable
    assert "the key and the quota" in failed.value.remedy
    assert outcomes(failed.value.attempts) == [("fake:small", "failed")]


def test_the_last_one_dying_half_way_is_an_error(scripted: Scripted) -> None:
    stream = chain(scripted("a", reply="Forty", error="gone")).stream(PROMPT, SAMPLING)
    assert next(stream) == "Forty"
    with pytest.raises(ModelError, match="gone"):
        next(stream)


def test_a_model_that_ends_without_a_result_has_failed(scripted: Scripted) -> None:
    last = complete(chain(Silent(), scripted("b", reply="Thirty.")), PROMPT, SAMPLING)
    assert last.attempts[0].reason == "test:silent ended its stream without a result"


class Silent:
    """A model that breaks the protocol."""

    name = "test:silent"

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Nothing at all."""
        return iter(())


class Defective:
    """A model with a defect of its code."""

    name = "test:defective"

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Raise what no adapter translated."""
        raise ZeroDivisionError


def test_a_defect_is_not_passed_over(scripted: Scripted) -> None:
    with pytest.raises(ZeroDivisionError):
        complete(chain(Defective(), scripted("b", reply="Thirty.")), PROMPT, SAMPLING)


def test_a_stream_that_is_left_stops_the_server(hosted: LLM, server: FakeChat) -> None:
    server.behaviour = "endless"
    with closing(chain(hosted).stream(PROMPT, SAMPLING)) as stream:
        assert next(stream) == "Thirty "
    assert server.left_alone.wait(10)


# Trying again.


def test_a_failure_that_may_pass_is_tried_again(hosted: LLM, server: FakeChat) -> None:
    waits: list[float] = []

    def mend(wait_s: float) -> None:
        waits.append(wait_s)
        server.behaviour = "ok" if len(waits) == 2 else 500

    server.behaviour = 500
    last = complete(chain(candidate(hosted, retries=2, sleep=mend)), PROMPT, SAMPLING)
    assert (last.text, last.attempts[0].tries, len(server.requests)) == (ANSWER, 3, 3)
    assert 0 <= waits[0] <= 0.5
    assert 0 <= waits[1] <= 1


@pytest.mark.parametrize(("behaviour", "calls"), [(500, 3), (401, 1), ("short", 1)])
def test_it_is_tried_again_as_often_as_set_and_only_where_that_helps(
    hosted: LLM, server: FakeChat, behaviour: str | int, calls: int
) -> None:
    server.behaviour = behaviour
    with pytest.raises(ModelError):
        complete(chain(candidate(hosted, retries=2)), PROMPT, SAMPLING)
    assert len(server.requests) == calls


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("soon", 0.5), ("1" * 400, None), ("99", None)])
def test_a_server_may_ask_to_be_left_alone_for_a_while(
    hosted: LLM, server: FakeChat, asked: str, waited: float | None
) -> None:
    waits: list[float] = []
    server.behaviour, server.retry_after = 429, asked
    with pytest.raises(ModelError, match="429"):
        complete(chain(candidate(hosted, retries=1, sleep=waits.append)), PROMPT, SAMPLING)
    # Longer than it may take to the first token is no use: the next one is asked at once.
    assert len(waits) == (waited is not None)
    assert all(wait <= (waited or 0) for wait in waits)
    assert asked != "7" or waits == [7.0]


# The breaker.


def test_who_fails_again_and_again_is_not_asked_for_a_while(hosted: LLM, server: FakeChat, scripted: Scripted) -> None:
    now = [0.0]
    limits = CandidateSettings(first_token_s=PATIENT_S, retries=0, breaker_failures=2, breaker_s=30)
    asked = chain(Candidate(hosted, limits, clock=lambda: now[0]), scripted("b", reply="Thirty."))
    server.behaviour = 500

    def first() -> str:
        return complete(asked, PROMPT, SAMPLING).attempts[0].outcome

    assert [first(), first(), first()] == ["failed", "failed", "skipped"]
    assert len(server.requests) == 2
    now[0] = 30
    assert [first(), first()] == ["failed", "skipped"]
    server.behaviour = "ok"
    now[0] = 60
    assert [first(), first()] == ["answered", "answered"]


def test_a_request_that_is_refused_says_nothing_about_the_next(hosted: LLM, server: FakeChat) -> None:
    asked = chain(candidate(hosted, breaker_failures=1))
    server.behaviour = 400
    for _ in range(3):
        with pytest.raises(ModelError, match="answered 400"):
            complete(asked, PROMPT, SAMPLING)
    assert len(server.requests) == 3


# Many at once.


def test_where_all_places_are_taken_the_next_is_asked(hosted: LLM, server: FakeChat, scripted: Scripted) -> None:
    server.behaviour = "hang"
    one = candidate(hosted, first_token_s=SOON_S, max_concurrent=1, breaker_failures=2)
    asked = chain(one, scripted("b", reply="Thirty."))
    assert complete(asked, PROMPT, SAMPLING).attempts[0].outcome == "slow"
    # The call that was given up still occupies the server; waiting for it is not held against the model.
    for _ in range(3):
        busy = complete(asked, PROMPT, SAMPLING).attempts[0]
        assert (busy.outcome, busy.tries) == ("busy", 0)
        assert "had no free place in 0.05 s" in busy.reason
    assert len(server.requests) <= 1


def test_a_place_becomes_free_when_a_call_ends(hosted: LLM) -> None:
    asked = chain(candidate(hosted, max_concurrent=1))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: complete(asked, PROMPT, SAMPLING), range(16)))
    assert [answer.text for answer in answers] == [ANSWER] * 16


@pytest.mark.parametrize("behaviour", ["pings", "empties", "words, then pings"])
def test_a_server_that_goes_on_without_a_word_loses_the_call_that_was_left(
    hosted: LLM, server: FakeChat, behaviour: str
) -> None:
    server.behaviour = behaviour
    # Free at once; the server would go on for 10 s.
    one = candidate(hosted, first_token_s=1, total_s=1, max_concurrent=1)
    with pytest.raises(ModelError, match=r"gave no token in 1 s|was not done in 1 s"):
        complete(chain(one), PROMPT, SAMPLING)
    assert server.left_alone.wait(5)
    server.behaviour = "ok"
    assert complete(chain(one), PROMPT, SAMPLING).text == ANSWER


def test_a_thread_that_can_not_start_costs_no_place(hosted: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    one = candidate(hosted, first_token_s=1, max_concurrent=1)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(ModelError, match="no thread could be started") as failed:
                complete(chain(one), PROMPT, SAMPLING)
    assert failed.value.retryable
    assert complete(chain(one), PROMPT, SAMPLING).text == ANSWER


def test_thirty_two_questions_at_once_are_not_mixed(scripted: Scripted) -> None:
    numbers = range(32)
    breaking = [{"match": f"number {n}$", "reply": f"Wrong {n}", "error": "gone"} for n in numbers if n % 3 == 0]
    failing = [{"match": f"number {n}$", "error": "down"} for n in numbers if n % 3 == 1]
    a = scripted("a", *breaking, *failing, *({"match": f"number {n}$", "reply": f"First {n}"} for n in numbers))
    b = scripted("b", *({"match": f"number {n}$", "reply": f"Second {n}"} for n in numbers))
    asked = chain(candidate(a, breaker_failures=1000, max_concurrent=5), candidate(b, max_concurrent=3))
    ready = threading.Barrier(len(numbers))

    def ask(n: int) -> Generation:
        ready.wait(PATIENT_S)
        return complete(asked, [Message(role="user", content=f"number {n}")], SAMPLING)

    with ThreadPoolExecutor(len(numbers)) as pool:
        answers = list(pool.map(ask, numbers))
    assert [answer.text for answer in answers] == [f"{'First' if n % 3 == 2 else 'Second'} {n}" for n in numbers]
    expected = {0: ["broken", "answered"], 1: ["failed", "answered"], 2: ["answered"]}
    assert [[each.outcome for each in answer.attempts] for answer in answers] == [expected[n % 3] for n in numbers]


# What it costs.


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        # The server tells 11 tokens in, 4 of them cached, and 3 out.
        ({"price_in": 2, "price_cached": 0.5, "price_out": 10}, (7 * 2 + 4 * 0.5 + 3 * 10) / 1e6),
        ({"price_in": 0, "price_cached": 0, "price_out": 0}, 0),
        ({"price_in": 2, "price_out": 10}, None),
        ({"price_in": 2, "price_cached": 0.5}, None),
        ({}, None),
    ],
)
def test_an_unknown_price_is_an_unknown_cost(hosted: LLM, prices: dict[str, float], cost: float | None) -> None:
    last = complete(chain(candidate(hosted, **prices)), PROMPT, SAMPLING)
    assert last.usage == Usage(prompt=11, completion=3, cached=4)
    assert last.cost == (None if cost is None else pytest.approx(cost))


@pytest.mark.parametrize(
    ("behaviour", "paid"),
    [
        (500, (7.0, 0.0)),  # refused: nothing was read
        ("cut", (7.0, None)),
        ("hang", (7.0, None)),
        ("cut", (0.0, 0.0)),
    ],
)
def test_what_was_paid_in_vain_is_never_left_out(
    hosted: LLM, server: FakeChat, scripted: Scripted, behaviour: str | int, paid: tuple[float, float | None]
) -> None:
    priced, cost = paid
    server.behaviour = behaviour
    prices = {"price_in": priced, "price_out": priced, "price_cached": priced}
    first = candidate(hosted, first_token_s=1 if behaviour == "hang" else PATIENT_S, **prices)
    last = complete(
        chain(first, candidate(scripted("b", reply="Thirty."), price_in=1e6, price_out=1e6)), PROMPT, SAMPLING
    )
    assert [attempt.cost for attempt in last.attempts] == [cost, last.usage.prompt + last.usage.completion]
    assert last.cost == (None if cost is None else 4)


# From the settings.


def test_roles_that_name_the_same_model_share_it(tmp_path: Path, scripted: Scripted) -> None:
    scripted("b", reply="Thirty.")
    roles = Roles(answer=("scripted:quote", "scripted:b.json"), rewrite="scripted:quote")
    made = make_chains(Settings(root=tmp_path, roles=roles), "answer", "rewrite", "judge")
    assert set(made) == {"answer", "rewrite"}
    assert made["answer"].name == "scripted:quote, scripted:b.json"
    assert made["answer"].candidates[0] is made["rewrite"].candidates[0]


def test_every_candidate_must_be_one_that_can_be_made() -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        make_chains(Settings(roles=Roles(answer=("scripted:quote", "openai:x"))), "answer")


def test_what_a_candidate_is_not_told_is_as_usual_for_its_server() -> None:
    settings = Settings(
        providers={"fake": {"base_url": "http://127.0.0.1:9/v1", "timeout_s": 7, "max_retries": 4}},
        candidates={"fake:a": {"retries": 1}, "local:m": {"first_token_s": 5}},
    )
    assert (settings.candidate("fake:a").first_token_s, settings.candidate("fake:a").retries) == (7, 1)
    assert (settings.candidate("fake:b").first_token_s, settings.candidate("fake:b").retries) == (7, 4)
    assert (settings.candidate("local:m").first_token_s, settings.candidate("local:m").price_in) == (5, 0)
    assert settings.candidate("openai:x").price_in is None
    with pytest.raises(ConfigError, match="unknown provider 'nosuch'"):
        settings.candidate("nosuch:x")
