"""Drawn holdouts: rows stay whole, clusters stay together, and the two models are exchangeable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, hash_row_ids, judge
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.defects import find_defects
from lockgate.gates.selftest.draws import Draws


def draw(evidence: Evidence, seed: int = 0) -> Evidence:
    return Draws.from_evidence(evidence).equal(np.random.default_rng(seed))


def test_every_drawn_row_is_one_of_the_holdout_with_its_scores_as_they_are_or_swapped(pair: Evidence) -> None:
    allowed = {
        (label, site, *scores)
        for label, site, ours, theirs in zip(
            pair.label, pair.slices["site"].codes, pair.challenger, pair.champion, strict=True
        )
        for scores in ((ours, theirs), (theirs, ours))
    }
    result = draw(pair)
    rows = zip(result.label, result.slices["site"].codes, result.challenger, result.champion, strict=True)
    assert all(row in allowed for row in rows)
    assert find_defects(result, clusters_required=True) == []


def test_as_many_clusters_are_drawn_and_each_is_swapped_whole(pair: Evidence) -> None:
    result = draw(pair)
    assert result.cluster is not None
    assert np.unique(result.cluster.codes).size == 50
    place = {score: index for index, score in enumerate(np.concatenate([pair.challenger, pair.champion]))}
    position = np.array([place[score] for score in result.challenger])
    swapped, original = position >= pair.n, pair.cluster.codes[position % pair.n]
    for code in range(50):
        inside = result.cluster.codes == code
        assert np.unique(swapped[inside]).size == np.unique(original[inside]).size == 1
        assert inside.sum() == 40
    assert 10 < sum(swapped[result.cluster.codes == code][0] for code in range(50)) < 40


def test_no_drawn_row_is_twice_or_was_trained_on(pair: Evidence) -> None:
    result = draw(pair)
    ids = result.row_id.to_numpy()
    assert (np.diff(ids) > 0).all()
    assert not np.isin(hash_row_ids(result.row_id), pair.train_row_hashes).any()


def test_drawn_rows_have_ids_of_the_type_that_the_holdout_has(make: Any, pair: Evidence) -> None:
    texts = [f"row {number}" for number in range(pair.n)]
    evidence = Evidence.from_arrays(
        label=pair.label,
        challenger=pair.challenger,
        champion=pair.champion,
        row_id=texts,
        facts={"train_row_hashes": hash_row_ids(["another"])},
    )
    policy = make.policy({"leakage": {"kind": "leakage"}})
    assert judge(policy, draw(evidence)).outcomes[0].verdict == "PASS"


def test_rows_without_clusters_are_drawn_and_swapped_one_by_one(twins: Any) -> None:
    evidence = twins(clusters=None)
    result = draw(evidence)
    assert result.cluster is None
    distinct = np.unique(np.minimum(result.challenger, result.champion)).size / result.n
    assert distinct == pytest.approx(1 - np.exp(-1), abs=0.03)  # as of any n drawn with replacement
    assert 0.45 < np.isin(result.challenger, evidence.champion).mean() < 0.55


def test_clusters_of_different_size_stay_whole(twins: Any) -> None:
    evidence = twins(600, clusters=None)
    sizes = np.repeat(np.arange(24), np.arange(1, 49, 2)[:24] + 1)[:600]
    evidence = Evidence.from_arrays(
        label=evidence.label,
        challenger=evidence.challenger,
        champion=evidence.champion,
        cluster=sizes,
        weight=sizes + 1,
    )
    result = draw(evidence, 5)
    assert set(np.bincount(result.cluster.codes)) <= set(np.bincount(sizes))
    assert result.weight is not None
    assert result.weight.size == result.n


def test_a_query_of_a_cluster_that_is_drawn_twice_is_two() -> None:
    rng = np.random.default_rng(1)
    query = np.repeat(np.arange(40), 5)
    evidence = Evidence.from_arrays(
        task="ranking",
        label=rng.integers(0, 3, 200),
        challenger=rng.normal(size=200),
        champion=rng.normal(size=200),
        query=query,
        cluster=query // 4,
    )
    result = draw(evidence)
    assert set(np.bincount(result.query.codes)) == {5}
    assert np.unique(result.query.codes).size == 40
    alone = draw(replace(evidence, cluster=None))
    assert set(np.bincount(alone.query.codes)) == {5}


def test_differences_are_symmetric_about_0(twins: Any) -> None:
    """The challenger is worse, and by cluster; swapped, the mean of its differences over 2,000 draws is 0."""
    evidence = twins(400, clusters=40, by_cluster=0.6)
    worse = replace(evidence, challenger=np.clip(evidence.challenger * 1.3, 0, 0.999))
    draws = Draws.from_evidence(worse)
    result = np.array(
        [
            np.mean(drawn.challenger - drawn.champion)
            for drawn in map(draws.equal, map(np.random.default_rng, range(2000)))
        ]
    )
    assert abs(result.mean()) < 3 * result.std() / np.sqrt(2000)
    assert np.mean(worse.challenger - worse.champion) > 2 * result.std()


def test_two_models_and_rows_are_needed(pair: Evidence) -> None:
    with pytest.raises(EvidenceError, match="no champion scores"):
        Draws.from_evidence(replace(pair, champion=None))
    with pytest.raises(EvidenceError, match="no rows"):
        Draws.from_evidence(Evidence.from_arrays(label=[], challenger=[], champion=[]))
