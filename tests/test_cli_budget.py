"""What plumb budget prints, and how plumb ask and plumb doctor tell that the budget is used up."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import ASKED, Plumb, failed, fine, parsed

BOUNDED = {
    "PLUMB_BUDGET__USER_DAY_TOKENS": "1500",
    "PLUMB_BUDGET__TURN_TOKENS": "1400",
    "PLUMB_BUDGET__DAY_COST": "0.5",
    "PLUMB_CANDIDATES": '{"scripted:quote": {"price_in": 2, "price_cached": 2, "price_out": 10}}',
}


def test_without_bounds_there_is_nothing_to_tell(plumb: Plumb, filled: Path) -> None:
    fine(plumb("ask", ASKED))
    assert fine(plumb("budget")).startswith("Nothing is bounded: set bounds in [budget]")
    assert parsed(plumb("budget", "--json"))["all"]["tokens"] == 0
    assert not (filled / ".plumb" / "budget.db").exists()


def test_the_budget_tells_what_is_used_and_left(plumb: Plumb, filled: Path) -> None:
    answer = parsed(plumb("ask", "--json", ASKED, env=BOUNDED))
    tokens = answer["usage"]["prompt"] + answer["usage"]["completion"]
    told = parsed(plumb("budget", "--json", env=BOUNDED))
    assert (told["all"]["tokens"], told["all"]["reserved"]["tokens"]) == (tokens, 0)
    assert abs(told["all"]["cost"] - answer["cost"]) < 1e-9
    (user,) = told["users"]
    assert user["user"] == ""
    assert user["left"] == {"user_day_tokens": {"left": 1500 - tokens, "of": 1500}}
    assert told["turn"] == {"turn_tokens": {"left": 1400, "of": 1400}}
    lines = fine(plumb("budget", env=BOUNDED)).splitlines()
    assert lines[0].startswith(f"{told['day']}, a day of UTC")
    assert [line.split()[0] for line in lines[1:]] == ["Who", "all", "no", "each"]
    assert f"{1500 - tokens:,} of 1,500" in lines[3]
    assert parsed(plumb("budget", "--json", "--day", "2020-01-31", env=BOUNDED))["all"]["tokens"] == 0


def test_a_question_that_can_not_be_paid_is_one_line(plumb: Plumb, filled: Path) -> None:
    bounded = {**BOUNDED, "PLUMB_BUDGET__USER_DAY_TOKENS": "200"}
    line = failed(plumb("ask", "--json", ASKED, env=bounded), code=1)
    assert "scripted:quote is not asked: the call may take" in line
    assert "of today's 200 tokens for whoever asks without a name are used or reserved" in line
    assert "raise budget.user_day_tokens in plumbline.toml" in line
    rows = json.loads(plumb("doctor", "--json", env=bounded).stdout)
    (answer,) = (row for row in rows if row["part"] == "answer")
    assert not answer["ok"]
    assert "scripted:quote is not asked" in answer["message"]


def test_what_can_not_be_is_told_in_one_line(plumb: Plumb, filled: Path) -> None:
    failed(plumb("budget", "--day", "yesterday"), code=2)
    line = failed(plumb("ask", ASKED, env={"PLUMB_BUDGET__DAY_COST": "1"}), code=2)
    assert "scripted:quote has no price_in and no price_out and no price_cached" in line
