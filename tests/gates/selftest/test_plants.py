"""What is planted is of the size that is said.

Tests of gates/selftest/harm.py
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from lockgate import Evidence, Policy
from lockgate.gates.selftest import harm, plants


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_shuffling_moves_the_share_of_rows_and_keeps_every_score(pair: Evidence, share: float) -> None:
    worse = harm.shuffle_scores(pair.challenger, rng(), share=share)
    assert np.count_nonzero(worse != pair.challenger) == round(share * pair.n)
    assert np.array_equal(np.sort(worse), np.sort(pair.challenger))


def test_shuffling_of_some_rows_leaves_the_others(pair: Evidence) -> None:
    among = np.arange(100, 300)
    worse = harm.shuffle_scores(pair.challenger, rng(), share=0.5, among=among)
    moved = np.flatnonzero(worse != pair.challenger)
    assert moved.size == 100
    assert np.isin(moved, among).all()


def test_classes_are_shuffled_by_row() -> None:
    scores = np.arange(30.0).reshape(10, 3)
    worse = harm.shuffle_scores(scores, rng(), share=1.0)
    assert {tuple(row) for row in worse} == {tuple(row) for row in scores}


@pytest.mark.parametrize(("score", "sign"), [(0.2, -1), (0.9, 1)])
def test_a_shift_is_of_so_many_logits_away_from_the_labels(score: float, sign: int) -> None:
    evidence = Evidence.from_arrays(label=[0, 1] * 50, challenger=np.full(100, score))
    assert harm.shift_scores(evidence, by=0.5) == pytest.approx(1 / (1 + np.exp(-logit(score) - sign * 0.5)))


def test_a_shift_of_a_regression_is_in_standard_deviations_of_the_label() -> None:
    label = np.arange(100.0)
    evidence = Evidence.from_arrays(task="regression", label=label, challenger=label + 1)
    assert harm.shift_scores(evidence, by=0.25) == pytest.approx(label + 1 + 0.25 * label.std())


def test_a_shift_of_classes_is_in_logits_of_the_first_against_the_others() -> None:
    evidence = Evidence.from_arrays(
        task="multiclass", classes=["a", "b", "c"], label=[0, 1, 2], challenger=np.tile([0.5, 0.3, 0.2], (3, 1))
    )
    moved = harm.shift_scores(evidence, by=1.0)
    assert moved.sum(axis=1) == pytest.approx(1.0)
    assert logit(moved[:, 0]) == pytest.approx(logit(0.5) + 1.0)
    assert moved[:, 1] / moved[:, 2] == pytest.approx(1.5)


def test_a_constant_is_the_mean_of_the_labels() -> None:
    binary = Evidence.from_arrays(label=[0, 1, 1, 1], challenger=np.zeros(4))
    assert harm.constant_scores(binary).tolist() == [0.75] * 4
    classes = Evidence.from_arrays(
        task="multiclass", classes=["a", "b"], label=[0, 1, 1, 1], challenger=np.tile([0.5, 0.5], (4, 1))
    )
    assert harm.constant_scores(classes).tolist() == [[0.25, 0.75]] * 4


def test_gains_and_regressions_touch_one_model_only(pair: Evidence) -> None:
    for gain in plants.plant_gains(pair):
        assert np.array_equal(gain.plant(pair, rng()).challenger, pair.challenger)
    for gain in plants.plant_regressions(pair):
        assert np.array_equal(gain.plant(pair, rng()).champion, pair.champion)


def test_one_slice_is_harmed_while_the_champion_is_harmed_everywhere_else(
    make: Any, pair: Evidence, checks: Any
) -> None:
    policy: Policy = make.policy(checks)
    ((column, value),) = plants.choose_slices(policy, pair)
    worst = [plant for plant in plants.plant_hidden_regressions(policy, pair) if plant.kind == "slice site"][-1]
    inside = pair.slices["site"].codes == pair.slices["site"].values.index(value)
    result = worst.plant(pair, rng())
    assert column == "site"
    assert value in worst.description
    assert np.array_equal(result.challenger[~inside], pair.challenger[~inside])
    assert np.array_equal(result.champion[inside], pair.champion[inside])
    assert np.count_nonzero(result.champion != pair.champion) == round(0.5 * np.count_nonzero(~inside))


def test_leaked_rows_are_added_to_those_trained_on(make: Any, pair: Evidence, checks: Any) -> None:
    leaks = [check for check in plants.plant_hidden_regressions(make.policy(checks), pair) if check.kind == "leaked"]
    added = [leak.plant(pair, rng()).train_row_hashes.size - pair.train_row_hashes.size for leak in leaks]
    assert added == [1, 20, 200]


def test_what_cannot_be_planted_is_not(make: Any, pair: Evidence, checks: Any) -> None:
    bare = replace(pair, train_row_hashes=None, slices={}, task="ranking")
    assert plants.plant_hidden_regressions(make.policy(), bare) == []
    looked = make.policy({"gate": {**checks["sites"], "by": "nothing"}})
    assert plants.choose_slices(looked, pair) == []
    assert plants.choose_slices(make.policy(), pair) == [("site", "west")]


def test_scores_without_labels_are_lowered_since_an_exchange_would_keep_their_mean(make: Any, pair: Evidence) -> None:
    scored = replace(pair, task="score", slices={})
    lowest = min(scored.challenger.min(), scored.champion.min())
    for planting in (*plants.plant_gains(scored), *plants.plant_regressions(scored)):
        planted = planting.plant(scored, rng())
        ours, theirs = planted.challenger != scored.challenger, planted.champion != scored.champion
        changed, scores = (theirs, planted.champion) if planting.kind == "gain" else (ours, planted.challenger)
        assert np.count_nonzero(changed) == pytest.approx(planting.size * scored.n, abs=1)
        assert set(scores[changed]) == {lowest}
        assert "shuffled" not in planting.description
    assert [check.kind for check in plants.plant_hidden_regressions(make.policy(), scored)] == ["leaked"] * 3
