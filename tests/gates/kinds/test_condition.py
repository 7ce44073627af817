from __future__ import annotations

import numpy as np
import pytest

from lockgate import Evidence, Verdict, judge
from tests.reference import allow_for_clusters, allow_for_rows

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    *(
        {"condition": text}
        for text in (
            "n > 0.6 +/- 0.1",
            "n > 0 +/- 0.1",
            "2 * n > 1.3 +/- 0.1",
            "2 * d < 0.9 +/- 0.2",
            "2 * n < 1 +/- 0.02",
            "n > 0.6 +/- 0.001",
            "n < 0.6 +/- 0.1",
            "o > 0.6 +/- 0.1",
            "d < 0.5 +/- 0.1",
            "d > 0.1 +/- 0.1",
            "n - o > 0 +/- 0.1",
            "n - o > 0.02 +/- 0.1",
            "n - o > -0.05 +/- 0.1",
            "2 * n - 2 * o > 0.04 +/- 0.2",
            "n - 1.1 * o > 0 +/- 0.1",
            "n - 1.1 * o < 0.3 +/- 0.1",
            "n + o + d < 1.9 +/- 0.3",
            "o - n < 0.01 +/- 0.1",
            r"n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01",
            "0.5 * n + d > 0.3 +/- 0.2",
        )
    ),
    {"severity": "warn"},
]

FOUR = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])


def outcome(make, condition: str, evidence: Evidence, **keys):
    return make.judge({"kind": "condition", "condition": condition}, evidence, **keys).outcomes[0]


def paired_rows(both: int, new: int, old: int, neither: int, **more) -> Evidence:
    """Binary rows in a known fourfold table: both right, only the new, only the old, neither."""
    right = np.repeat(FOUR, [both, new, old, neither], axis=0)
    label = np.arange(len(right)) % 2
    scores = np.where(right == 1, label[:, None], 1 - label[:, None]) * 0.8 + 0.1
    return Evidence.from_arrays(label=label.astype(float), challenger=scores[:, 0], champion=scores[:, 1], **more)


TANGO = paired_rows(794, 150, 86, 570)
"""Tango 95 %: .0213615648, .0589980333 (two-sided), as published."""


def test_a_gain_is_judged_as_improvement_does(make) -> None:
    result = outcome(make, "n - o > 0.02 +/- 0.03", TANGO, confidence=0.975)
    same = make.judge({"kind": "improvement", "metric": "accuracy", "margin": 0.02}, TANGO, confidence=0.975)
    (part,) = result.parts
    assert (part.low, part.high) == pytest.approx((0.0213615648, 0.0589980333), abs=1e-9)
    for key in ("verdict", "observed", "low", "high", "level", "p"):
        assert getattr(result, key) == getattr(part, key) == getattr(same.outcomes[0], key)
    assert (part.name, part.kind, part.rule) == ("n - o > 0.02 +/- 0.03", "condition", "n - o > 0.02 +/- 0.03")
    assert result.verdict == Verdict.PASS


def test_a_factor_changes_nothing(make) -> None:
    plain, doubled = (outcome(make, text, TANGO) for text in ("n - o > 0.02 +/- 0.03", "2*n - 2*o > 0.04 +/- 0.06"))
    turned = outcome(make, "o - n < -0.02 +/- 0.03", TANGO)
    for key in ("verdict", "observed", "low", "high", "level"):
        assert getattr(plain, key) == getattr(doubled, key) == getattr(turned, key)


def test_an_accuracy_is_judged_as_threshold_does(make) -> None:
    for text, limits in (
        ("n > 0.57 +/- 0.1", {"min": 0.57}),
        ("n < 0.6 +/- 0.1", {"max": 0.6}),
        ("-2 * n < -1 +/- .1", {"min": 0.5}),
    ):
        result = outcome(make, text, TANGO)
        check = {"kind": "threshold", "metric": "accuracy", "decide": "bound", **limits}
        same = make.judge(check, TANGO).outcomes[0]
        for key in ("verdict", "observed", "low", "high", "level"):
            assert getattr(result, key) == getattr(same, key)


def test_changed_decisions_are_judged_as_disagreement_does(make) -> None:
    result = outcome(make, "d < 0.2 +/- 0.1", TANGO)
    same = make.judge({"kind": "disagreement", "max": 0.2, "decide": "bound"}, TANGO).outcomes[0]
    for key in ("verdict", "observed", "low", "high", "level"):
        assert getattr(result, key) == getattr(same, key)
    assert result.observed == pytest.approx((150 + 86) / 1600)


def test_wilson_of_a_single_share(make) -> None:
    """60 of 100: .5020025868–.6905987136 at two-sided 95 %, published."""
    result = outcome(make, "o > 0.5 +/- 0.1", paired_rows(60, 40, 0, 0), confidence=0.975)
    assert (result.low, result.high) == pytest.approx((0.5020025868, 0.6905987136), abs=1e-9)
    assert result.verdict == Verdict.PASS
    halved = outcome(make, "-0.5 * o < -0.25 +/- 0.1", paired_rows(60, 40, 0, 0), confidence=0.975)
    assert (halved.low, halved.high) == pytest.approx((-0.6905987136 / 2, -0.5020025868 / 2), abs=1e-9)
    assert halved.verdict == Verdict.PASS


@pytest.mark.parametrize("clustered", [False, True])
def test_any_other_sum_is_a_mean_over_rows(make, clustered: bool) -> None:
    """By Student's t, of rows or of equal clusters, with the allowance for skew."""
    rng = np.random.default_rng(1)
    order = rng.permutation(1600)
    cluster = np.arange(1600) % 40
    right = np.repeat(FOUR, [794, 150, 86, 570], axis=0)[order]
    label = rng.integers(0, 2, 1600)
    scores = np.where(right == 1, label[:, None], 1 - label[:, None]) * 0.8 + 0.1
    evidence = Evidence.from_arrays(
        label=label.astype(float),
        challenger=scores[:, 0],
        champion=scores[:, 1],
        cluster=cluster if clustered else None,
    )
    values = right[:, 0] - 1.1 * right[:, 1] + 0.5 * (right[:, 0] != right[:, 1])
    if clustered:
        allowance = allow_for_clusters(values.reshape(40, 40).mean(axis=0), np.ones(40))
    else:
        allowance = allow_for_rows(values)
    low, high = allowance.bounds(values.mean(), 0.95)
    result = outcome(make, "n - 1.1 * o + 0.5 * d > 0 +/- 0.1", evidence)
    assert result.observed == pytest.approx(values.mean(), rel=1e-11)
    assert (result.low, result.high) == pytest.approx((low, high), rel=1e-10)
    assert result.verdict == (Verdict.PASS if low > 0 else Verdict.INCONCLUSIVE)
    assert outcome(make, "n - 1.1 * o + 0.5 * d > 0.5 +/- 0.1", evidence).verdict == Verdict.FAIL
    assert outcome(make, "n - 1.1 * o + 0.5 * d < 0.5 +/- 0.1", evidence).verdict == Verdict.PASS


def test_multiclass(make) -> None:
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, 900)
    right = rng.random((900, 2)) < (0.9, 0.6)
    wrong = (label[:, None] + rng.integers(1, 3, (900, 2))) % 3
    decision = np.where(right, label[:, None], wrong)
    scores = np.eye(3)[decision] * 0.7 + 0.1
    evidence = Evidence.from_arrays(
        label=label,
        challenger=scores[:, 0],
        champion=scores[:, 1],
        task="multiclass",
        classes=["a", "b", "c"],
    )
    result = outcome(
        make, "n - o > 0.2 +/- 0.05 /\\ d < 0.6 +/- 0.05 /\\ o > 0.5 +/- 0.05 /\\ n - 1.1*o > 0 +/- 0.1", evidence
    )
    assert [part.verdict for part in result.parts] == [Verdict.PASS] * 4
    shares = [right[:, 0].mean() - right[:, 1].mean(), np.mean(decision[:, 0] != decision[:, 1]), right[:, 1].mean()]
    assert [part.observed for part in result.parts[:3]] == pytest.approx(shares)


def test_the_half_width_is_asked_as_well(make) -> None:
    """Half of .0589980333 − .0213615648 is .0188182."""
    results = {
        within: outcome(make, f"n - o > 0.02 +/- {within}", TANGO, confidence=0.975) for within in (0.0188183, 0.0094)
    }
    narrow, wide = results.values()
    assert narrow.verdict == Verdict.PASS
    assert wide.verdict == Verdict.INCONCLUSIVE
    assert wide.message.endswith(
        "the interval's half-width is 0.01882, at most 0.0094 is asked: about 4.0 times the rows or clusters are needed"
    )
    assert (wide.low, wide.high) == (narrow.low, narrow.high)


def test_what_is_shown_to_be_false_is_so_at_any_half_width(make) -> None:
    assert outcome(make, "n - o > 0.2 +/- 0.05", TANGO).verdict == Verdict.FAIL
    assert outcome(make, "n - o > 0.2 +/- 0.001", TANGO).verdict == Verdict.FAIL


def test_a_limit_of_0_is_strict(make) -> None:
    same = paired_rows(300, 0, 0, 100)
    assert outcome(make, "n - o > 0 +/- 0.1", same).verdict == Verdict.INCONCLUSIVE
    assert outcome(make, "d > 0 +/- 0.1", same).verdict == Verdict.INCONCLUSIVE
    assert outcome(make, "n - o > -0.05 +/- 0.1", same).verdict == Verdict.PASS


@pytest.mark.parametrize(("rows", "verdict"), [(6, Verdict.INCONCLUSIVE), (60, Verdict.PASS)])
def test_rows_that_are_all_alike_prove_little(make, rows: int, verdict: Verdict) -> None:
    """Every row right for both: the sum is −.1 everywhere, and 6 rows still allow 39 % of others."""
    result = outcome(make, "n - 1.1 * o > -0.2 +/- 1", paired_rows(rows, 0, 0, 0))
    unlike = 1 - 0.05 ** (1 / rows)
    assert (result.low, result.high) == pytest.approx((-0.1 - unlike * 1.0, -0.1 + unlike * 1.1))
    assert result.verdict == verdict


def test_the_gate_is_as_bad_as_its_worst_clause(make) -> None:
    result = outcome(make, "n > 0.5 +/- 0.1 /\\ d < 0.1 +/- 0.1 /\\ n - o > 0.04 +/- 0.1", TANGO)
    assert [part.verdict for part in result.parts] == [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]
    assert result.verdict == Verdict.FAIL
    assert result.observed == result.parts[1].observed
    assert result.message.startswith("3 clauses: 1 FAIL, 1 INCONCLUSIVE, 1 PASS; 'd < 0.1 +/- 0.1': ")
    assert result.rule == "n > 0.5 +/- 0.1 /\\ d < 0.1 +/- 0.1 /\\ n - o > 0.04 +/- 0.1"


def test_without_a_champion_clauses_of_n_alone_are_judged(make) -> None:
    alone = make.evidence(champion=None)
    result = outcome(make, "n > 0.6 +/- 0.1 /\\ n - o > 0 +/- 0.1 /\\ d < 0.1 +/- 0.1 /\\ o > 0.5 +/- 0.1", alone)
    assert [part.verdict for part in result.parts] == [Verdict.PASS, Verdict.SKIP, Verdict.SKIP, Verdict.SKIP]
    assert result.verdict == Verdict.PASS
    assert outcome(make, "n > 0.99 +/- 0.1 /\\ d < 0.1 +/- 0.1", alone).verdict == Verdict.FAIL
    assert outcome(make, "d < 0.1 +/- 0.1", alone).verdict == Verdict.SKIP


def test_a_champion_that_reigns_but_has_no_scores_is_an_error(make) -> None:
    alone = make.evidence(champion=None)
    reigning = make.judge(make.checks["threshold"], alone).state
    for text in ("n - o > 0 +/- 0.1", "o > 0.5 +/- 0.1", "d < 0.1 +/- 0.1", "n - 1.1*o > 0 +/- 0.1"):
        policy = make.policy({"gate": {"kind": "condition", "condition": f"{text} /\\ n > 0.5 +/- 0.1"}})
        gate_outcome = judge(policy, alone, reigning).outcomes[0]
        assert [part.verdict for part in gate_outcome.parts] == [Verdict.ERROR, Verdict.PASS]
        assert gate_outcome.verdict == Verdict.ERROR
        assert "the evidence has no champion scores" in gate_outcome.message


def test_only_where_there_are_decisions(make) -> None:
    result = outcome(make, "n > 0.5 +/- 0.1", make.evidence(task="regression"))
    assert result.verdict == Verdict.ERROR
    assert "a condition is not defined for regression; expected task binary or multiclass" in result.message


GAINS = ["n - o > 0 +/- 0.1", "n - 1.05 * o > 0 +/- 0.1"]


@pytest.mark.parametrize("text", GAINS)
def test_a_gain_is_a_scheduled_look(make, text: str) -> None:
    check = {"kind": "condition", "condition": f"{text} /\\ n > 0.5 +/- 0.1"}
    policy = make.policy({"gate": check}, schedule={"kind": "fixed", "looks": 20})
    decision = judge(policy, make.evidence())
    assert [part.level for part in decision.outcomes[0].parts] == [0.9975, 0.95]
    assert decision.look.scheduled
    assert decision.outcomes[0].verdict == Verdict.PASS
    again = judge(policy, make.evidence(challenger=make.arrays()["challenger"] ** 1.01), decision.state)
    assert [part.verdict for part in again.outcomes[0].parts] == [Verdict.INCONCLUSIVE, Verdict.PASS]
    assert "this holdout is retired" in again.outcomes[0].message


@pytest.mark.slow
def test_no_false_promotion_of_a_product(make) -> None:
    """n − 1.02·o > 0 with n exactly 1.02·o: at most .05 pass."""
    rng, runs, passed = np.random.default_rng(3), 1500, 0
    policy = make.policy({"gate": {"kind": "condition", "condition": "n - 1.02 * o > 0 +/- 1"}})
    both, new, old, neither = 0.72, 0.096, 0.08, 0.104  # n = .816, o = .8
    for counts in rng.multinomial(1000, [both, new, old, neither], runs):
        passed += judge(policy, paired_rows(*counts)).outcomes[0].verdict == Verdict.PASS
    assert passed / runs <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)
    assert passed > 0


def test_a_half_width_of_exactly_what_is_asked_is_narrow_enough(make) -> None:
    wide = outcome(make, "n > 0.5 +/- 0.5", TANGO)
    half = (wide.high - wide.low) / 2
    for expected, verdict in ((half, Verdict.PASS), (half - 1e-9, Verdict.INCONCLUSIVE)):
        assert outcome(make, f"n > 0.5 +/- {expected:.17g}", TANGO).verdict == verdict


def test_clusters_that_are_all_alike_prove_less_than_their_rows(make) -> None:
    evidence = paired_rows(60, 0, 0, 0, cluster=np.arange(60) % 12)
    result = outcome(make, "n - 1.1 * o > -0.2 +/- 1", evidence)
    unlike = 1 - 0.05 ** (1 / 12)
    assert (result.low, result.high) == pytest.approx((-0.1 - unlike * 1.0, -0.1 + unlike * 1.1))
