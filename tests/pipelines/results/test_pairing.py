"""Two files become evidence: nothing is left out, and what does not fit together is counted and named."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lockgate.gates.errors import EvidenceError
from lockgate.pipelines.results.pairing import pair_results
from lockgate.pipelines.results.results import Result, Results


def make_results(scores: dict[tuple[str, str], float], where: str = "new.csv", **columns: Any) -> Results:
    """Results by sample and try; `columns` gives each row its names and numbers, by `names` and `numbers`."""
    rows = tuple(
        Result(
            sample=sample,
            epoch=epoch,
            score=score,
            problem="no score",
            names=columns.get("names", {}),
            numbers=columns.get("numbers", {}),
        )
        for (sample, epoch), score in scores.items()
    )
    return Results(where=where, sha256="0" * 64, score="score", rows=rows, cluster=columns.get("cluster"))


def pair(ours: Results, theirs: Results | None = None, **options: Any) -> Any:
    return pair_results(ours, theirs, **{"task": "score", "slices": (), "missing": None} | options)


SCORES = {("a", "1"): 1.0, ("a", "2"): 0.0, ("b", "1"): 0.5, ("b", "2"): 1.0}


def test_rows_are_paired_by_sample_and_try_whatever_their_order() -> None:
    theirs = make_results(dict(reversed(SCORES.items())), "old.csv")
    evidence = pair(make_results(SCORES), theirs)
    assert evidence.row_id.to_pylist() == ["a#1", "a#2", "b#1", "b#2"]
    assert evidence.challenger.tolist() == evidence.champion.tolist() == [1.0, 0.0, 0.5, 1.0]
    assert evidence.query.codes.tolist() == [0, 0, 1, 1]
    assert evidence.cluster is None


def test_samples_with_one_try_are_rows_of_their_own() -> None:
    evidence = pair(make_results({("a", ""): 1.0, ("b", ""): 0.0}))
    assert evidence.row_id.to_pylist() == ["a", "b"]
    assert (evidence.query, evidence.champion) == (None, None)


def test_beside_labels_the_samples_are_the_clusters_unless_one_is_named() -> None:
    labelled = {"numbers": {"label": 1.0, "weight": 2.0}}
    evidence = pair(make_results(SCORES, **labelled), task="binary")
    assert (evidence.task, evidence.label.tolist(), evidence.weight.tolist()) == ("binary", [1.0] * 4, [2.0] * 4)
    assert evidence.cluster.values == ("a", "b")
    coarse = make_results(SCORES, **labelled, names={"topic": "x"}, cluster="topic")
    assert pair(coarse, task="binary", slices=("topic",)).cluster.values == ("x",)


REFUSED: dict[str, tuple[Results, Results | None, dict[str, Any], str]] = {
    "not in the other file": (
        make_results({**SCORES, ("c", "1"): 1.0, ("d", "1"): 1.0}),
        make_results(SCORES, "old.csv"),
        {},
        "2 of 6 results are not in old.csv (first: 'c' try 1); expected the same samples and tries in both files @ new",
    ),
    "fewer than the other file": (
        make_results({("a", "1"): 1.0}),
        make_results(SCORES, "old.csv"),
        {},
        "3 of 4 results are not in new.csv (first: 'a' try 2); expected the same samples and tries in both files @ old",
    ),
    "no score": (
        make_results(SCORES),
        make_results({**SCORES, ("b", "1"): math.nan}, "old.csv"),
        {},
        "1 of 4 results have no score (first: 'b' try 1); expected a score for every result @ old.csv (--missing 0 cou",
    ),
    "no label": (
        make_results(SCORES),
        None,
        {"task": "binary"},
        "there is no label; expected a column `label`, or --la",
    ),
    "a label of its own": (
        make_results(SCORES, numbers={"label": 1.0}),
        make_results(SCORES, "old.csv", numbers={"label": 0.0}),
        {"task": "binary"},
        "'label' of 4 results is not that of the challenger's file (first: 'a' try 1, '0.0' and not '1.0'); expected",
    ),
    "a column of one file": (
        make_results(SCORES, names={"topic": "x"}),
        make_results(SCORES, "old.csv"),
        {},
        "only one of the files has 'topic'; expected the same columns in both @ old.csv",
    ),
    "scores of no probability": (
        make_results({("a", ""): 1.5}, numbers={"label": 1.0}),
        None,
        {"task": "binary"},
        "1 rows have a challenger score outside 0 … 1, or none (first rows, ids hashed: ca978112ca1b) @ new.csv",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_together_is_refused_in_one_line(name: str) -> None:
    ours, theirs, options, problem = REFUSED[name]
    with pytest.raises(EvidenceError) as refused:
        pair(ours, theirs, **options)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(("epoch", "noun"), [("", "1 samples"), ("1", "1 tries")])
def test_a_try_that_occurs_twice_is_refused(epoch: str, noun: str) -> None:
    once = make_results({("a", epoch): 1.0, ("b", epoch): 1.0})
    twice = Results(where="new.csv", sha256="", score="score", rows=(*once.rows, once.rows[1]))
    with pytest.raises(EvidenceError) as refused:
        pair(twice)
    assert str(refused.value).startswith(f"{noun} occur more than once (first: 'b'")
    assert "--epoch names that column" in str(refused.value)


def test_missing_scores_count_as_what_is_said_and_are_counted() -> None:
    gap = {**SCORES, ("b", "1"): math.nan}
    evidence = pair(make_results(gap), make_results(SCORES, "old.csv"), missing=0.25)
    assert evidence.challenger.tolist() == [1.0, 0.0, 0.25, 1.0]
    source = evidence.facts["results"]
    assert [source[side]["missing"] for side in ("challenger", "champion")] == [1, 0]
    assert source["challenger"]["counted_as"] == 0.25
