"""Calls that a purse pays: what is reserved and kept of each, who is passed over, what the breaker hears of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from chat_server import KEY, FakeChat

from rag.budget.amount import Amount
from rag.budget.bounds import Budget
from rag.budget.ledger import Ledger
from rag.budget.purse import Purse
from rag.errors import BudgetExceeded, ConfigError, ModelError
from rag.llm import Candidate, Chain, make_llm, pinned
from rag.llm.protocol import LLM, Piece, Sampling, complete
from rag.roles import CandidateSettings
from rag.settings import Provider, Settings
from rag.types import Generation, Message, Usage

PROMPT = [Message(role="user", content="How many days?")]
SAMPLING = Sampling(temperature=0, max_tokens=60)
# A token for the mark and for 3 other bytes of the prompt and 8 for its message, then the longest answer.
PROMPT_TOKENS = 14
WORST = PROMPT_TOKENS + 60
PRICES = {"price_in": 2.0, "price_cached": 1.0, "price_out": 10.0}
FREE = {"price_in": 0.0, "price_cached": 0.0, "price_out": 0.0}
PATIENT_S, SOON_S = 20.0, 0.05

Scripted = Callable[..., LLM]


@pytest.fixture
def hosted(server: FakeChat, monkeypatch: pytest.MonkeyPatch) -> LLM:
    """The model of the server; its client gives up on silence after 3 s."""
    monkeypatch.setenv("FAKE_KEY", KEY)
    provider = Provider(base_url=server.url, api_key_env="FAKE_KEY", timeout_s=PATIENT_S)
    impatient = {"fake:small": CandidateSettings(first_token_s=3)}
    return make_llm(Settings(providers={"fake": provider}, candidates=impatient), "fake:small", role="answer")


def candidate(llm: LLM, **limits: float) -> Candidate:
    given = {"first_token_s": PATIENT_S, "retries": 0, **PRICES, **limits}
    return Candidate(llm, CandidateSettings.model_validate(given), sleep=lambda _: None)


def ledger_of(folder: Path, **bounds: float) -> Ledger:
    return Ledger(folder / "budget.db", Budget.model_validate(bounds))


def asked(ledger: Ledger, *candidates: Candidate) -> Generation:
    """A turn of one call."""
    return complete(pinned(Chain(candidates), Purse(ledger, "anna")), PROMPT, SAMPLING)


def used(ledger: Ledger) -> Amount:
    return ledger.used().used


def until_settled(ledger: Ledger) -> Amount:
    """What is used once no call is under way; one that was given up ends in a thread of its own."""
    end = time.monotonic() + PATIENT_S
    while ledger.used().under_way and time.monotonic() < end:
        time.sleep(0.01)
    assert ledger.used().under_way == {}
    return used(ledger)


def test_what_a_call_took_takes_the_place_of_its_worst_case(tmp_path: Path, hosted: LLM) -> None:
    ledger = ledger_of(tmp_path, day_tokens=WORST, day_cost=1)
    last = asked(ledger, candidate(hosted))
    # The server tells 11 tokens in, 4 of them cached, and 3 out.
    assert used(ledger) == Amount(tokens=14, cost=7 * 2000 + 4 * 1000 + 3 * 10_000)
    assert last.cost == pytest.approx(48e-6)
    assert ledger.used().under_way == {}


def test_a_model_that_the_budget_cannot_pay_is_passed_over_for_a_cheaper_one(
    tmp_path: Path, hosted: LLM, server: FakeChat, scripted: Scripted
) -> None:
    ledger = ledger_of(tmp_path, user_day_cost=0.0001)
    last = asked(ledger, candidate(hosted), candidate(scripted("free", reply="Thirty."), **FREE))
    assert last.text == "Thirty."
    skipped, answered = last.attempts
    assert (skipped.model, skipped.outcome, skipped.tries) == ("fake:small", "skipped", 0)
    assert skipped.reason.startswith("fake:small is not asked: the call may take 0.000628, and 0 of today's 0.0001")
    assert answered.outcome == "answered"
    assert server.requests == []


def test_where_none_can_be_paid_all_are_named(tmp_path: Path, hosted: LLM, scripted: Scripted) -> None:
    ledger = ledger_of(tmp_path, turn_tokens=10)
    with pytest.raises(BudgetExceeded) as refused:
        asked(ledger, candidate(hosted), candidate(scripted("b", reply="Thirty.")))
    told = str(refused.value)
    assert told.startswith("no model answered: fake:small is not asked: the call may take 74 tokens")
    assert "then scripted:b.json is not asked" in told
    assert "raise budget.turn_tokens in plumbline.toml" in told
    with pytest.raises(BudgetExceeded, match=r"^fake:small is not asked"):
        asked(ledger, candidate(hosted))


def test_where_one_failed_and_one_cannot_be_paid_both_are_told(
    tmp_path: Path, hosted: LLM, server: FakeChat, scripted: Scripted
) -> None:
    server.behaviour = 500
    ledger = ledger_of(tmp_path, day_cost=0.0007)
    with pytest.raises(ModelError) as failed:
        asked(ledger, candidate(hosted), candidate(scripted("b", reply="Thirty."), price_out=20.0))
    assert not isinstance(failed.value, BudgetExceeded)
    assert "answered 500" in str(failed.value)
    assert "then scripted:b.json is not asked" in str(failed.value)
    assert "raise budget.day_cost in plumbline.toml" in str(failed.value)


@pytest.mark.parametrize("behaviour", [400, 401, 429, 500, 503])
def test_a_request_that_was_turned_away_took_nothing(
    tmp_path: Path, hosted: LLM, server: FakeChat, behaviour: int
) -> None:
    server.behaviour = behaviour
    ledger = ledger_of(tmp_path, day_tokens=1000)
    with pytest.raises(ModelError, match=f"answered {behaviour}"):
        asked(ledger, candidate(hosted, retries=2))
    assert used(ledger) == Amount()


def test_a_server_that_cannot_be_reached_took_nothing(tmp_path: Path) -> None:
    settings = Settings(providers={"fake": Provider(base_url="http://127.0.0.1:9/v1")})
    ledger = ledger_of(tmp_path, day_tokens=1000)
    with pytest.raises(ModelError, match="can't reach"):
        asked(ledger, candidate(make_llm(settings, "fake:small", role="answer")))
    assert used(ledger) == Amount()


@pytest.mark.parametrize("behaviour", ["cut", "short", "error", "nonsense", "odd", "page", 504, "hang", "drop"])
def test_of_a_call_whose_end_nobody_tells_the_worst_case_stays(
    tmp_path: Path, hosted: LLM, server: FakeChat, behaviour: str | int
) -> None:
    server.behaviour = behaviour
    ledger = ledger_of(tmp_path, day_tokens=1000)
    with pytest.raises(ModelError):
        asked(ledger, candidate(hosted))
    assert until_settled(ledger).tokens == WORST
    server.released.set()


def test_a_call_that_was_given_up_stays_reserved_while_it_occupies_the_server(
    tmp_path: Path, hosted: LLM, server: FakeChat, scripted: Scripted
) -> None:
    server.behaviour = "late"
    ledger = ledger_of(tmp_path, day_tokens=1000)
    last = asked(ledger, candidate(hosted, first_token_s=SOON_S), candidate(scripted("b", reply="Thirty days.")))
    assert [attempt.outcome for attempt in last.attempts] == ["slow", "answered"]
    worst = Amount(tokens=WORST, cost=PROMPT_TOKENS * 2000 + 60 * 10_000)
    assert ledger.used().under_way == {"anna": worst}
    server.released.set()
    # The scripted one tells 3 tokens in and 2 out.
    assert until_settled(ledger).tokens == WORST + 5


def test_a_stream_that_is_left_stays_counted_as_its_worst_case(tmp_path: Path, hosted: LLM, server: FakeChat) -> None:
    server.behaviour = "endless"
    ledger = ledger_of(tmp_path, day_tokens=1000)
    with closing(pinned(Chain([candidate(hosted)]), Purse(ledger, "anna")).stream(PROMPT, SAMPLING)) as stream:
        assert next(stream) == "Thirty "
    assert until_settled(ledger).tokens == WORST


def test_each_try_is_paid(tmp_path: Path, hosted: LLM, server: FakeChat) -> None:
    server.behaviour = 504
    ledger = ledger_of(tmp_path, day_tokens=2 * WORST)
    with pytest.raises(BudgetExceeded) as refused:
        asked(ledger, candidate(hosted, retries=5))
    assert used(ledger).tokens == 2 * WORST
    assert len(server.requests) == 2
    (attempt,) = refused.value.attempts
    assert (attempt.outcome, attempt.tries) == ("skipped", 2)  # type: ignore[attr-defined]


def test_a_refusal_is_no_failure_to_the_breaker(tmp_path: Path, hosted: LLM, server: FakeChat) -> None:
    one = candidate(hosted, breaker_failures=1)
    for _ in range(3):
        with pytest.raises(BudgetExceeded):
            asked(ledger_of(tmp_path, day_tokens=10), one)
    assert asked(ledger_of(tmp_path, day_tokens=100), one).attempts[0].outcome == "answered"
    # A trial that the budget refuses is another one's to make.
    now = [0.0]
    limits = CandidateSettings(first_token_s=PATIENT_S, retries=0, breaker_failures=1, breaker_s=30)
    open_one = Candidate(hosted, limits, clock=lambda: now[0])
    server.behaviour = 500
    with pytest.raises(ModelError, match="answered 500"):
        asked(ledger_of(tmp_path, day_tokens=1000), open_one)
    now[0], server.behaviour = 31.0, "ok"
    with pytest.raises(BudgetExceeded):
        asked(ledger_of(tmp_path, day_tokens=10), open_one)
    assert asked(ledger_of(tmp_path, day_tokens=1000), open_one).text == "Thirty days [1]."


def test_in_one_question_who_could_not_be_paid_is_not_asked_again(
    tmp_path: Path, hosted: LLM, scripted: Scripted
) -> None:
    ledger = ledger_of(tmp_path, turn_cost=0.0006)
    question = pinned(Chain([candidate(hosted), candidate(scripted("b", reply="Ten."), **FREE)]), Purse(ledger, ""))
    first, second = (complete(question, PROMPT, SAMPLING) for _ in range(2))
    assert [attempt.outcome for attempt in first.attempts] == ["skipped", "answered"]
    assert [attempt.model for attempt in second.attempts] == ["scripted:b.json"]


class Telling:
    """A model whose server tells these tokens."""

    name = "test:telling"

    def __init__(self, usage: Usage) -> None:
        self.usage = usage

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """A word, then its Generation."""
        yield "Thirty."
        yield Generation(
            text="Thirty.",
            requested_model=self.name,
            resolved_model=self.name,
            fingerprint=None,
            finish_reason="stop",
            usage=self.usage,
            first_token_ms=1.0,
            total_ms=1.0,
        )


@pytest.mark.parametrize(
    "usage",
    [Usage(), Usage(prompt=-5, completion=3), Usage(prompt=5, completion=-900), Usage(prompt=10**400, completion=1)],
)
def test_a_server_that_tells_no_tokens_or_nonsense_took_the_worst_case(tmp_path: Path, usage: Usage) -> None:
    ledger = ledger_of(tmp_path, day_tokens=1000)
    model = pinned(Telling(usage), Purse(ledger, "anna"))
    assert complete(model, PROMPT, SAMPLING).text == "Thirty."
    assert used(ledger).tokens == WORST


def test_a_model_outside_a_chain_is_paid_too_and_its_price_is_unknown(tmp_path: Path) -> None:
    model = Telling(Usage(prompt=5, completion=2))
    ledger = ledger_of(tmp_path, day_tokens=1000)
    complete(pinned(model, Purse(ledger, "anna")), PROMPT, SAMPLING)
    assert used(ledger) == Amount(tokens=7, cost=None)
    with pytest.raises(ConfigError, match=r"test:telling has no price, and budget\.day_cost bounds money"):
        complete(pinned(model, Purse(ledger_of(tmp_path, day_cost=1), "anna")), PROMPT, SAMPLING)
    assert pinned(model) is model


def test_an_infinite_price_is_never_paid(tmp_path: Path, hosted: LLM) -> None:
    with pytest.raises(BudgetExceeded):
        asked(ledger_of(tmp_path, day_cost=1e9), candidate(hosted, price_in=float("inf")))


def test_a_paid_call_that_was_left_ends_whatever_its_server_goes_on_sending(
    tmp_path: Path, hosted: LLM, server: FakeChat
) -> None:
    server.behaviour = "pings"
    with pytest.raises(ModelError, match="gave no token in 1 s"):
        asked(ledger_of(tmp_path, day_tokens=1000), candidate(hosted, first_token_s=1))
    assert server.left_alone.wait(5)  # it would go on for 10 s
