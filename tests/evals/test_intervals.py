"""Bounds and tests: known values, exact error rates, and what they do where nothing or everything changed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test

from evals.bench import enumerated
from evals.intervals import Sample, bootstrap, chance_above, least, mean, most, sample
from evals.paired import difference
from evals.significance import against_chance, holm
from evals.sizes import Spread, copies_to_fail, copies_to_pass, fewest, repetitions_for, spread


def of(*, lost: int, won: int, cases: int) -> Sample:
    sums = np.concatenate([-np.ones(lost), np.ones(won), np.zeros(cases - lost - won)])
    return Sample(sums=sums, weights=np.ones(cases))


def test_over_all_outcomes_of_yes_no_questions_a_loss_of_the_margin_passes_in_at_most_5_percent() -> None:
    sizes = (30, 66)
    assert enumerated.worst(enumerated.ours, sizes=sizes)[0] <= 0.05
    # What is compared with errs more: the score test a little, the means in most runs.
    assert enumerated.worst(enumerated.tango, sizes=sizes)[0] > 0.05
    assert enumerated.worst(enumerated.means, sizes=sizes)[0] > 0.5


def test_without_a_change_it_takes_about_three_cases_for_each_part_of_the_margin() -> None:
    assert [fewest(margin) for margin in (0.02, 0.05, 0.1, 0.2)] == [167, 66, 33, 16]
    for margin in (0.02, 0.05, 0.1):
        number = fewest(margin)
        assert least(of(lost=0, won=0, cases=number)) > -margin >= least(of(lost=0, won=0, cases=number - 1))
        # No fewer than the rule of three wants.
        assert (1 - margin) ** number <= 0.05


def test_bounds_lie_on_both_sides_and_close_in() -> None:
    few, many = of(lost=3, won=1, cases=50), of(lost=60, won=20, cases=1000)
    assert mean(few) == mean(many) == -0.04
    assert least(few) < least(many) < -0.04 < most(many) < most(few)
    assert least(few) == -most(few.negative)
    # The p value of a floor and the bound say the same.
    assert chance_above(many, float(most(many))) == pytest.approx(0.05)


def test_a_single_cluster_tells_nothing() -> None:
    alone = sample([0.0] * 100, [1.0] * 100, ["one conversation"] * 100)
    assert (alone.clusters, float(least(alone)), float(most(alone))) == (1, -1.0, 1.0)
    assert chance_above(alone, 0.5) == 1.0


def test_cases_of_a_conversation_count_as_less_than_cases_by_themselves() -> None:
    values = [-1.0] * 4 + [0.0] * 96
    apart = sample(values, [1.0] * 100, [str(case) for case in range(100)])
    together = sample(values, [1.0] * 100, [str(case // 4) for case in range(100)])
    assert mean(apart) == mean(together)
    assert least(together) < least(apart)
    assert bootstrap(together)[0] < bootstrap(apart)[0]


def test_the_bootstrap_has_a_width_where_nothing_changed() -> None:
    low, high = bootstrap(of(lost=0, won=0, cases=60))
    assert -0.06 < low < 0 < high < 0.06
    assert bootstrap(of(lost=0, won=0, cases=60)) == (low, high)


def test_the_bootstrap_covers_where_little_changes() -> None:
    """The plain percentile bootstrap holds in 78 of 100 samples of this kind."""
    random, held = np.random.default_rng(5), 0
    for lost in random.binomial(30, 0.05, size=200):
        low, high = bootstrap(of(lost=int(lost), won=0, cases=30), resamples=1000)
        held += low <= -0.05 <= high
    assert held >= 190


def test_the_difference_of_two_versions_of_an_index_stands_on_the_same_interval() -> None:
    first, second = np.zeros(40), np.concatenate([np.ones(4), np.zeros(36)])
    found = difference("recall@1", first, second)
    assert (found.low, found.high) == bootstrap(of(lost=0, won=4, cases=40))
    assert (found.better, found.worse, found.difference) == (4, 0, 0.1)


@pytest.mark.parametrize(("won", "lost"), [(0, 5), (3, 9), (20, 20), (1, 0)])
def test_yes_no_questions_are_tested_as_mcnemar_did(won: int, lost: int) -> None:
    found = against_chance(of(lost=lost, won=won, cases=100).sums)
    assert found.test == "McNemar"
    assert found.p == pytest.approx(binomtest(won, won + lost).pvalue)
    assert found.p_worse == pytest.approx(binomtest(won, won + lost, alternative="less").pvalue)


@pytest.mark.parametrize("cases", [8, 40])
def test_grades_are_tested_by_permutation(cases: int) -> None:
    values = np.random.default_rng(2).normal(-0.2, 0.5, cases)
    found = against_chance(values)
    peer = permutation_test(
        (values, np.zeros(cases)),
        lambda one, other, axis: np.mean(one - other, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        alternative="less",
        rng=1,
    )
    assert found.test == "permutation"
    assert found.p_worse == pytest.approx(peer.pvalue, abs=0.01)
    assert found.p_worse < found.p


def test_no_change_is_no_evidence() -> None:
    assert (against_chance(np.zeros(50)).p, against_chance(np.zeros(50)).p_worse) == (1.0, 1.0)


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.04, None, None]) == [0.04, 1.0, 1.0]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_cases_that_are_asked_for_decide() -> None:
    random, margin = np.random.default_rng(3), 0.05
    now = of(lost=4, won=3, cases=100)
    copies = copies_to_pass(now, margin)
    assert copies is not None
    assert copies > 1
    needed = round(copies * 100)
    drawn = random.choice([-1.0, 1.0, 0.0], p=[0.04, 0.03, 0.93], size=(500, needed))
    shown = (least(Sample(sums=drawn, weights=np.ones_like(drawn))) > -margin).mean()
    assert 0.72 < shown < 0.88


def test_a_clear_loss_needs_few_more_cases_and_one_at_the_limit_any_number() -> None:
    copies = copies_to_fail(of(lost=4, won=0, cases=30))
    assert copies is not None
    assert 1 < copies < 3
    assert copies_to_pass(of(lost=5, won=0, cases=100), 0.05) is None
    assert copies_to_fail(of(lost=0, won=1, cases=30)) is None


def test_noise_between_repetitions_is_told_from_what_cases_differ_by() -> None:
    random = np.random.default_rng(4)
    noisy = [(random.binomial(1, 0.5, 4).astype(float), random.binomial(1, 0.5, 4).astype(float)) for _ in range(400)]
    found = spread(
        [float(second.mean() - first.mean()) for first, second in noisy], [(list(a), list(b)) for a, b in noisy]
    )
    assert found.noise == pytest.approx(1.0, abs=0.15)
    assert found.repetitions == 4
    steady = spread([-1.0, 0.0, 1.0, 0.0], [((1.0, 1.0), (0.0, 0.0))] * 4)
    assert steady.noise == 0.0
    assert spread([-1.0, 0.0], [((1.0,), (0.0,)), ((1.0,), (1.0,))]).noise is None


def test_repetitions_help_where_there_is_noise_only() -> None:
    assert repetitions_for(2.0, Spread(noise=1.0, repetitions=3)) == 6
    assert repetitions_for(2.0, Spread(noise=0.3, repetitions=3)) is None
    assert repetitions_for(2.0, Spread(noise=None, repetitions=1)) is None
