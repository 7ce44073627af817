"""The kind `drift`: the holdout against the training rows, or the scores of two models.

Tests of gates/kinds/drift_pairs.py
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.stats import entropy

from lockgate import Evidence, Policy, Verdict, judge
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"measure": "ks"},
    {"measure": "js"},
    {"decide": "point"},
    {"max": 0.0001},
    {"of": "features"},
    {"against": "champion"},
    {"of": "features", "against": "champion", "measure": "js"},
    {"of": "features", "columns": ["nothing"]},
    {"of": "features", "measure": "ks"},
    {"of": "features", "measure": "ks", "columns": ["n" * 100]},
    {"of": "features", "max": 0.1, "decide": "point"},
    {"against": "champion", "measure": "psi"},
    {"of": "features", "columns": ["sit"]},
]
EDGES = {"one label only": Verdict.PASS, "constant scores of both": Verdict.FAIL, "no facts": Verdict.ERROR}

DRIFT = {"kind": "drift", "of": "features", "measure": "psi", "against": "training", "max": 0.2, "decide": "point"}
MODEL = {"run": "flow/1", "sha256": "a" * 64}


def number(train, holdout, *, missing=(0, 0)):
    edges = list(range(len(train) - 1))
    counted = {"train": {"cells": train, "missing": missing[0]}, "holdout": {"cells": holdout, "missing": missing[1]}}
    return {"kind": "number", "edges": edges, **counted}


def name(train, holdout):
    values = [f"v{index}" for index in range(len(train))]
    return {"kind": "name", "values": values, "train": {"cells": train}, "holdout": {"cells": holdout}}


SAME, MOVED = number([500, 300, 200], [300, 180, 120]), number([500, 300, 200], [100, 100, 400])


def drift(make, features, *, now=None, facts=None, **keys):
    report = make.facts(features=features, **(facts or {}))
    return make.judge({**DRIFT, **keys}, make.evidence(facts=report)).outcomes[0]


def test_the_worst_column_decides_and_is_named(make) -> None:
    result = drift(make, {"a": SAME, "b": MOVED, "c": SAME})
    assert (result.verdict, result.metric, result.rows) == (Verdict.FAIL, "psi", 600)
    p, q = np.array([0.5, 0.3, 0.2]), np.array([1, 1, 4]) / 6
    assert result.observed == pytest.approx(entropy(p, q) + entropy(q, p), rel=1e-11)
    assert [(part.name, part.verdict) for part in result.parts] == [("a", "PASS"), ("b", "FAIL"), ("c", "PASS")]
    assert "of 'b'; beyond the limit: 'b'" in result.message
    assert result.low < result.observed < result.high


def test_columns_choose(make) -> None:
    result = drift(make, {"a": SAME, "b": MOVED}, columns=["a"])
    assert (result.verdict, [part.name for part in result.parts]) == (Verdict.PASS, ["a"])
    unknown = drift(make, {"carrier": SAME, "b": MOVED}, columns=["carier"])
    assert unknown.verdict == Verdict.ERROR
    assert "no feature 'carier' in the facts; expected one of: b, carrier (did you mean 'carrier'?)" in unknown.message


@pytest.mark.parametrize(("maximum", "verdict"), [(0.0999, "FAIL"), (0.1, "PASS"), (0.1001, "PASS")])
def test_on_the_limit(make, maximum: float, verdict: str) -> None:
    """300 of 600 fall where 400 of 1,000 did: a distance of .1."""
    assert drift(make, {"a": number([400, 600], [300, 300])}, measure="ks", max=maximum).verdict == verdict


def test_js_and_names(make) -> None:
    result = drift(make, {"a": name([70, 20, 10], [200, 200, 200])}, measure="js")
    assert result.observed == pytest.approx(distance.jensenshannon([7, 2, 1], [1, 1, 1], base=2), rel=1e-11)


def test_ks_passes_over_names_unless_they_are_asked_for(make) -> None:
    columns = {"a": SAME, "b": name([1, 2], [300, 300])}
    result = drift(make, columns, measure="ks")
    assert [part.verdict for part in result.parts] == [Verdict.PASS, Verdict.SKIP]
    assert result.verdict == Verdict.PASS
    expected, alone = drift(make, columns, measure="ks", columns=["b"]), drift(make, {"b": columns["b"]}, measure="ks")
    assert expected.verdict == alone.verdict == Verdict.ERROR
    assert "feature 'b' is a name: it has no order, which ks needs" in expected.message


@pytest.mark.parametrize("measure", ["psi", "ks", "js"])
def test_values_that_are_missing_now_are_a_drift(make, measure: str) -> None:
    gaps = number([500, 500], [150, 150], missing=(0, 300))
    result = drift(make, {"a": gaps}, measure=measure)
    assert result.verdict == Verdict.FAIL
    if measure == "ks":
        assert result.observed == 0.5


@pytest.mark.parametrize(
    ("train", "holdout", "maximum", "verdict"),
    [
        ([5000, 5000], [300, 300], 0.15, "PASS"),
        ([5000, 5000], [400, 200], 0.15, "INCONCLUSIVE"),
        ([20, 20], [300, 300], 0.15, "INCONCLUSIVE"),
        ([5000, 5000], [500, 100], 0.15, "FAIL"),
    ],
)
def test_the_bound(make, train, holdout, maximum: float, verdict: str) -> None:
    result = drift(make, {"a": number(train, holdout)}, measure="js", max=maximum, decide="bound")
    assert (result.verdict, result.level) == (verdict, 0.95)


def test_a_column_among_many_fails_only_beyond_bonferronis_bound(make) -> None:
    """Alone it is shown to exceed the limit; as one of 40 columns that is no proof."""
    odd = number([5000, 5000], [398, 202])
    alone = drift(make, {"a": odd}, measure="ks", max=0.12, decide="bound")
    many = {"a": odd, **{f"b{index}": number([5000, 5000], [300, 300]) for index in range(39)}}
    together = drift(make, many, measure="ks", max=0.12, decide="bound")
    assert (alone.verdict, together.verdict) == (Verdict.FAIL, Verdict.INCONCLUSIVE)


def test_against_the_champions_training_rows(make) -> None:
    facts = {"champion": {**MODEL, "features": {"a": MOVED}}}
    assert drift(make, {"a": SAME}, facts=facts, against="champion").verdict == Verdict.FAIL
    for champion in (MODEL, {**MODEL, "features": None}):
        result = drift(make, {"a": SAME}, facts={"champion": champion}, against="champion")
        assert result.verdict == Verdict.ERROR
        assert "@ facts.champion.features" in result.message


@pytest.mark.parametrize("subject", ["features", "scores"])
def test_without_a_champion(make, subject: str) -> None:
    check = {"gate": {**DRIFT, "of": subject, "against": "champion"}, "floor": make.checks["threshold"]}
    assert judge(make.policy(check), make.evidence(champion=None)).outcomes[0].verdict == Verdict.SKIP


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (None, "the run did not say how its features are distributed"),
        ({"a": number([5, 5], [1, 2])}, "3 holdout rows are counted, the evidence has 600"),
        ({"a": number([0, 0], [300, 300])}, "no row is counted; expected at least one @ facts.features.a"),
        ({"a": {**SAME, "holdout": None}}, "the holdout is not counted"),
        ({"a": {**SAME, "edges": [1, "x"]}}, "got 'x'; expected a finite number @ facts.features.a.edges.1"),
    ],
)
def test_counts_that_cannot_be_judged(make, features, message: str) -> None:
    result = drift(make, features)
    assert result.verdict == Verdict.ERROR
    assert message in result.message


def scores(make, *, n: int = 3000, shift: float = 0.0, **keys):
    rng = np.random.default_rng(1)
    base = rng.normal(size=n)
    options = {name: keys.pop(name) for name in ("weight", "cluster", "facts") if name in keys}
    champion, challenger = base, base + 0.05 * rng.normal(size=n) + shift
    evidence = Evidence.from_arrays(
        label=base + rng.normal(size=n), challenger=challenger, champion=champion, task="regression", **options
    )
    return make.judge({**DRIFT, "of": "scores", "against": "champion", **keys}, evidence).outcomes[0]


@pytest.mark.parametrize("measure", ["psi", "ks", "js"])
def test_scores_against_the_champion(make, measure: str) -> None:
    near, far = (scores(make, measure=measure, shift=shift, decide="bound") for shift in (0.0, 2.0))
    assert (near.verdict, far.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert (near.rows, near.parts) == (3000, ())


def test_scores_that_come_in_pairs_have_narrower_bounds_than_counts(make) -> None:
    """The champion's scores are on the same rows: their cells rarely differ."""
    paired = scores(make, measure="ks", decide="bound")
    facts = {"scores": {"kind": "number", "edges": [-1, 0, 1], "train": {"cells": [476, 1024, 1024, 476]}}}
    counted = scores(make, measure="ks", decide="bound", against="training", facts=facts)
    assert paired.high < counted.high


def test_scores_are_counted_by_weight(make) -> None:
    facts = {"scores": {"kind": "number", "edges": [0], "train": {"cells": [500, 500]}}}
    rng = np.random.default_rng(1)
    weight = np.where(rng.normal(size=3000) > 0, 3.0, 1.0)  # of positive scores, by the same draw
    plain = scores(make, measure="ks", against="training", facts=facts)
    weighed = scores(make, measure="ks", against="training", facts=facts, weight=weight)
    assert plain.observed < 0.05
    assert weighed.observed == pytest.approx(0.25, abs=0.03)


def test_clusters_widen_the_bounds_of_scores_and_few_show_nothing(make) -> None:
    facts = {"scores": {"kind": "number", "edges": [0], "train": {"cells": [5000, 5000]}}}
    order = np.argsort(np.random.default_rng(1).normal(size=3000))
    cluster = np.empty(3000, dtype=int)
    cluster[order] = np.arange(3000) // 100  # rows of one cluster have about the same score
    plain = scores(make, measure="ks", against="training", facts=facts, decide="bound")
    clustered = scores(make, measure="ks", against="training", facts=facts, decide="bound", cluster=cluster)
    few = scores(make, measure="ks", against="training", facts=facts, decide="bound", cluster=cluster // 6)
    assert clustered.high > 3 * plain.high
    assert (few.verdict, few.clusters) == (Verdict.INCONCLUSIVE, 5)
    assert "only 5 clusters" in few.message


def test_classes_are_names(make) -> None:
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, 900)
    facts = {"scores": {"kind": "name", "values": ["x", "y", "z"], "train": {"cells": [400, 400, 400]}}}
    evidence = Evidence.from_arrays(
        label=label,
        challenger=0.1 + 0.7 * np.eye(3)[label],
        champion=0.1 + 0.7 * np.eye(3)[(label > 0) * 1],
        task="multiclass",
        classes=["x", "y", "z"],
        facts=facts,
    )
    for against, verdict in (("training", "PASS"), ("champion", "FAIL")):
        check = {**DRIFT, "of": "scores", "against": against, "measure": "js"}
        assert make.judge(check, evidence).outcomes[0].verdict == verdict
        assert make.judge({**check, "measure": "ks"}, evidence).outcomes[0].verdict == Verdict.ERROR


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"of": "scores", "columns": ["a"]}, "scores have no columns"),
        ({"measure": "ks", "max": 1}, "ks is never above 1; expected max below 1"),
        ({"max": 0}, "greater than 0"),
        ({"max": float("nan")}, "a finite number"),
        ({"measure": "kl"}, "'psi', 'ks' or 'js'"),
        ({"columns": []}, "at least 1 entry"),
        ({"against": "train"}, "'training' or 'champion'"),
    ],
)
def test_policy_errors(make, keys, message: str) -> None:
    with pytest.raises(PolicyError) as err:
        Policy.parse(make.mapping({"gate": {**DRIFT, **keys}}))
    assert message in str(err.value)
    assert "gate.checks.gate" in str(err.value)


def test_a_column_that_passes_alone_needs_no_correction_to_pass(make) -> None:
    """PASS takes every column at the full level: Bonferroni's correction is for what is shown to exceed the limit."""
    columns = {f"b{index}": number([5000, 5000], [306, 294]) for index in range(40)}
    alone = drift(make, {"b0": columns["b0"]}, measure="ks", max=0.05, decide="bound")
    corrected = make.policy(
        {"gate": {**DRIFT, "measure": "ks", "max": 0.05, "decide": "bound"}}, confidence=1 - 0.05 / 40
    )
    evidence = make.evidence(facts=make.facts(features={"b0": columns["b0"]}))
    assert (alone.verdict, judge(corrected, evidence).outcomes[0].verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert drift(make, columns, measure="ks", max=0.05, decide="bound").verdict == Verdict.PASS
