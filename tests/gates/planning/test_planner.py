"""What a plan says is what judging then does.

Tests of gates/planning/combined.py
Tests of gates/planning/record.py
Tests of gates/planning/requirement.py
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import stats

from lockgate import Evidence, LockgateError, State, judge
from lockgate.gates.errors import EvidenceError
from lockgate.gates.judge.engine import build_case
from lockgate.gates.kinds import CLASSES, KINDS
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.planning import RowPlan, plan
from lockgate.gates.planning.kinds import PLAN_FUNCTIONS, Assumptions, plan_gate
from tests.reference import Allowance, allow_for_clusters, allow_for_rows

slow = pytest.mark.slow
"""For variants of what is tried anyway."""

AHEAD = {"kind": "improvement", "metric": "accuracy", "margin": 0}
KEPT = {"kind": "improvement", "metric": "brier", "margin": -0.01}
SITES = {
    "kind": "slices",
    "by": "site",
    "metric": "brier",
    "margin": -0.02,
    "require": "non_inferior",
    "min_rows": 50,
    "small_slice": "inconclusive",
}


def pilot(n: int = 2000, *, seed: int = 3, clusters: int | None = None, **options: Any) -> Evidence:
    """Two models about as good as each other; with clusters, how good they are varies between them."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.5, n)
    cluster = None if clusters is None else np.arange(n) % clusters
    shift = 0 if cluster is None else rng.normal(0, 0.5, clusters)[cluster]
    scores = [1 / (1 + np.exp(-(truth + rng.normal(0, 0.7, n) + moved))) for moved in (shift, 0)]
    arrays = {
        "label": (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(float),
        "challenger": scores[0],
        "champion": scores[1],
        "cluster": cluster,
        "slices": {"site": np.array(["north", "south", "south", "west", "west", "west"])[np.arange(n) % 6]},
    }
    return Evidence.from_arrays(**{**arrays, **options})


def need_of(make: Any, check: dict[str, Any], *, keys: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """What the one gate of a policy needs."""
    (need,) = plan(make.policy({"gate": check}, **(keys or {})), **{"power": 0.8, **arguments}).needs
    return need


@pytest.mark.parametrize(("looks", "rows"), [(1, 3_086), (100, 8_521)])
def test_a_comparison_of_shares_without_a_pilot(make: Any, looks: int, rows: int) -> None:
    keys = {"schedule": {"kind": "fixed", "looks": looks}}
    need = need_of(make, AHEAD, keys=keys, gain=0.01, disagreement=0.05)
    assert (need.rows, need.clusters, need.chance, need.detectable) == (rows, None, None, None)
    assert need.level == pytest.approx(1 - 0.05 / looks)
    assert need == need_of(make, AHEAD, keys=keys, gain={"accuracy": 0.01}, disagreement=0.05)


def test_times_fewer_than_by_the_bound_of_ease_ml_ci(make: Any) -> None:
    keys = {"schedule": {"kind": "fixed", "looks": 32}, "confidence": 0.9999}
    need = need_of(make, {**AHEAD, "margin": 0.02}, keys=keys, gain=0.03, disagreement=0.1)
    assert (need.rows, need.bound_rows) == (28_465, 267_385)
    assert need.saving == pytest.approx(9.39, abs=0.01)
    assert need_of(make, {**AHEAD, "margin": -0.02}, keys=keys, gain=-0.01, disagreement=0.1).bound_rows == math.ceil(
        4 * math.log(2 / 1e-4) / (2 * 0.01**2)
    )  # an allowed loss is no scheduled look


def test_without_a_pilot_the_rest_says_that_it_needs_one(make: Any) -> None:
    checks = {"ahead": AHEAD, "kept": KEPT, "sites": SITES, "floor": make.check("threshold")}
    checks["leak"] = make.check("leakage")
    result = plan(make.policy(checks), power=0.8, gain=0.01, disagreement=0.05)
    whys = {need.name: need.why for need in result.needs if need.rows is None}
    assert [name for name, why in whys.items() if "lockgate plan RUN" in why] == ["kept", "sites", "floor"]
    assert "nothing is estimated" in whys["leak"]
    assert result.unplanned == ("kept", "sites", "floor")
    assert (result.rows, result.chance, result.enough, result.together_rows) == (None, None, None, 3_086)
    nothing = plan(make.policy({"ahead": AHEAD}), power=0.8)
    assert nothing.together_rows is None
    assert "a disagreement to assume" in nothing.needs[0].why


def allow_for(values: np.ndarray, clusters: int | None) -> Allowance:
    """Of the mean of rows, or of clusters of equal size as `pilot` makes them."""
    if clusters is None:
        return allow_for_rows(values)
    return allow_for_clusters(values.reshape(-1, clusters).mean(axis=0), np.ones(clusters))


def power_below(allowance: Allowance, distance: float, *, times: float = 1) -> float:
    """The chance that an estimate on `times` the sample is shown, at .95, to lie below a limit so far above the truth.

    Skewness falls as an error does, and what is uncertain of it as a variance.
    """
    error, df = allowance.error / math.sqrt(times), allowance.df * times
    grown = Allowance(error=error, df=df, skew=allowance.skew / math.sqrt(times), slack=allowance.slack / times)
    critical = grown.bounds(0.0, 0.95)[1] / error
    return float(stats.nct.sf(critical, df, distance / error))


@pytest.mark.parametrize("clusters", [None, 40])
def test_rows_scale_as_one_over_variance(make: Any, clusters: int | None) -> None:
    """A gain planned on the interval that `judge` gives, with its own t and its own allowance for skew."""
    evidence = pilot(clusters=clusters)
    need = need_of(make, KEPT, evidence=evidence)
    ours, theirs = ((score - evidence.label) ** 2 for score in (evidence.challenger, evidence.champion))
    allowance = allow_for(ours - theirs, clusters)
    (outcome,) = judge(make.policy({"gate": KEPT}), evidence).outcomes
    assert (outcome.low, outcome.high) == pytest.approx(allowance.bounds(np.mean(ours - theirs), 0.95), rel=1e-9)
    assert need.chance == pytest.approx(power_below(allowance, 0.01), abs=1e-6)
    times = need.rows / evidence.n
    assert power_below(allowance, 0.01, times=times) == pytest.approx(0.8, abs=2e-3)
    assert need.clusters == (clusters and math.ceil(clusters * times - 0.05))
    assert power_below(allowance, need.detectable + 0.01) == pytest.approx(0.8, abs=1e-6)


def test_what_is_supposed_where_nothing_is_given(make: Any) -> None:
    evidence = pilot()
    assert need_of(make, {**KEPT, "margin": 0.001}, evidence=evidence).truth == 0.002
    assert need_of(make, KEPT, evidence=evidence).truth == 0
    any_gain = need_of(make, {**KEPT, "margin": 0}, evidence=evidence)
    assert (any_gain.truth, any_gain.rows, any_gain.chance) == (None, None, None)
    assert any_gain.detectable > 0
    assert "a margin of 0" in any_gain.why
    assert need_of(make, {**KEPT, "margin": 0}, evidence=evidence, gain={"brier": 0.01}).rows > 0


def test_a_truth_short_of_the_rule_takes_no_number_of_rows(make: Any) -> None:
    for check, gain in ((KEPT, {"brier": -0.01}), ({**make.check("threshold"), "min": 0.99}, None)):
        need = need_of(make, check, evidence=pilot(), gain=gain)
        assert need.rows is None
        assert "does not meet the rule" in need.why
        assert need.chance < 0.06


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "threshold", "metric": "accuracy", "min": 0.65, "decide": "bound"},
        pytest.param({"kind": "threshold", "metric": "accuracy", "max": 0.8, "decide": "bound"}, marks=slow),
        pytest.param({"kind": "threshold", "metric": "accuracy", "min": 0.65, "decide": "point"}, marks=slow),
        {"kind": "threshold", "metric": "auc", "min": 0.75, "decide": "bound"},
        {"kind": "threshold", "metric": "brier", "max": 0.22, "decide": "bound"},
        pytest.param({"kind": "threshold", "metric": "brier", "min": 0.1, "max": 0.22, "decide": "bound"}, marks=slow),
        {"kind": "calibration", "measure": "gap", "max": 0.05, "decide": "bound"},
        pytest.param({"kind": "calibration", "measure": "slope", "max": 0.5, "decide": "bound"}, marks=slow),
        pytest.param({"kind": "calibration", "measure": "gap", "max": 0.02, "decide": "point"}, marks=slow),
        KEPT,
        pytest.param({**KEPT, "metric": "auc"}, marks=slow),
        {**AHEAD, "margin": -0.03},
        SITES,
        pytest.param({**SITES, "require": "no_proven_harm"}, marks=slow),
    ],
)
def test_judging_passes_as_often_as_planned(make: Any, check: dict[str, Any]) -> None:
    """The plan of a large pilot says how often the gate passes at the size of a small holdout."""
    policy, rows, times = make.policy({"gate": check}), 240, 200
    large = pilot(60_000)
    rng = np.random.default_rng(8)
    chosen = [rng.choice(large.n, rows, replace=False) for _ in range(times)]
    passed = np.mean([judge(policy, some(large, index)).verdict == "PROMOTE" for index in chosen])
    gains = {}
    if check["kind"] == "improvement":
        (outcome,) = judge(policy, large).outcomes
        gains = {check["metric"]: outcome.observed * (-1 if check["metric"] == "brier" else 1)}
    case = build_case(policy, large, State(), None, spent="")
    requirement = plan_gate(policy.checks["gate"], case, Assumptions(gains=gains, pilot=True, disagreement=None))
    chance = requirement.chance_at(rows / large.n)
    assert chance is not None
    assert passed >= chance - 0.12
    if check["kind"] != "slices":  # whose chance is a lower bound
        assert passed == pytest.approx(chance, abs=0.12)


def errors_of(rng: np.random.Generator, n: int) -> Evidence:
    """Two models of a number, equally good."""
    label = rng.normal(size=n)
    near = {"challenger": label + rng.normal(0, 1, n), "champion": label + rng.normal(0, 1, n)}
    return Evidence.from_arrays(label=label, task="regression", **near)


def some(evidence: Evidence, rows: Any) -> Evidence:
    """Some of its rows."""
    site = evidence.slices["site"]
    return Evidence.from_arrays(
        label=evidence.label[rows],
        challenger=evidence.challenger[rows],
        champion=evidence.champion[rows],
        slices={"site": np.array([str(value) for value in site.values])[site.codes[rows]]},
    )


def test_the_smallest_slice_is_the_hardest(make: Any) -> None:
    need = need_of(make, SITES, evidence=pilot(6000))
    assert "3 slices; north is the hardest" in need.supposed
    whole = need_of(make, {**KEPT, "margin": -0.02}, evidence=pilot(6000))
    assert need.rows > 6 * whole.rows


def test_a_slice_that_is_too_small_asks_for_more_rows(make: Any) -> None:
    check = {**SITES, "min_rows": 600, "require": "no_proven_harm"}
    need = need_of(make, check, evidence=pilot(1800))
    assert (need.rows, need.chance, need.detectable) == (3_600, 0, None)
    assert "than the policy asks for" in need_of(make, {**check, "require": "non_inferior"}, evidence=pilot(1800)).why
    skipped = need_of(make, {**check, "small_slice": "skip"}, evidence=pilot(1800))
    assert "each of 2 slices" in skipped.supposed
    assert skipped.chance > 0.9
    assert "no slice has" in need_of(make, {**check, "min_rows": 5000, "small_slice": "skip"}, evidence=pilot(1800)).why


def test_harm_that_would_be_caught(make: Any) -> None:
    need = need_of(make, {**SITES, "require": "no_proven_harm"}, evidence=pilot(6000))
    assert need.rows is None
    assert need.detectable < -0.02
    assert "in north, the hardest slice" in need.shows
    assert "unless harm is proven" in need.why


def test_fewer_clusters_than_asked_pass_nothing(make: Any) -> None:
    result = plan(make.policy({"gate": KEPT}), power=0.8, evidence=pilot(clusters=8))
    (need,) = result.needs
    assert (need.chance, need.detectable, result.enough) == (0, None, False)
    assert need.clusters >= 10


def test_all_gates_together(make: Any) -> None:
    checks = {"kept": KEPT, "sites": SITES, "warned": {**KEPT, "margin": -1e-6, "severity": "warn"}}
    result = plan(make.policy(checks), power=0.8, evidence=pilot(2500))
    kept, sites, _ = result.needs
    assert result.chance == pytest.approx(max(0, 1 - (1 - kept.chance) - (1 - sites.chance)))
    assert result.chance_most == min(kept.chance, sites.chance)
    assert result.together_rows >= max(kept.rows, sites.rows)
    assert result.unplanned == ()
    assert plan(make.policy(checks), power=0.01, evidence=pilot(60_000)).enough
    grown = plan(make.policy(checks), power=0.8, evidence=pilot(2500)).together_rows
    assert grown < max(kept.rows, sites.rows) * 1.5


def test_a_pilot_without_a_champion(make: Any) -> None:
    result = plan(make.policy({"kept": KEPT, "sites": SITES}), power=0.8, evidence=pilot(champion=None))
    assert all("has no champion" in need.why for need in result.needs)
    assert result.unplanned == ("kept", "sites")
    assert result.chance is None


def test_models_that_never_differ(make: Any) -> None:
    same = pilot()
    evidence = pilot(champion=same.challenger)
    assert "right on the same rows" in need_of(make, AHEAD, evidence=evidence, gain=0.01).why
    need = need_of(make, KEPT, evidence=evidence)
    assert need.chance == 1


def test_every_kind_is_planned_or_says_why_not(make: Any) -> None:
    for kind in make.checks:
        need = need_of(make, make.check(kind), evidence=make.evidence())
        assert need.why or KINDS[kind] in PLAN_FUNCTIONS or need.parts
        alone = need_of(make, make.check(kind))
        assert alone.why
        assert all(part.why for part in alone.parts)
    assert set(PLAN_FUNCTIONS) <= set(CLASSES)


def test_a_kind_that_planning_does_not_know_says_so_or_why_it_needs_no_sample(make: Any) -> None:
    class Unplanned(Threshold):
        pass

    class Sampleless(Unplanned):
        unplanned: ClassVar[str] = "it counts: nothing is estimated"

    case = build_case(make.policy(), make.evidence(), State(), None, spent="")
    assumptions = Assumptions(gains={}, pilot=True, disagreement=None)
    assert (
        plan_gate(Unplanned(**make.check("threshold")), case, assumptions) == "gates of kind threshold are not planned"
    )
    assert plan_gate(Sampleless(**make.check("threshold")), case, assumptions) == "it counts: nothing is estimated"


def test_a_quantile_of_errors_as_a_comparison(make: Any) -> None:
    evidence = errors_of(np.random.default_rng(9), 800)
    kept = {"kind": "improvement", "metric": "absolute_error@0.9", "margin": -0.2}
    need, judged = need_of(make, kept, evidence=evidence), make.judge(kept, evidence).outcomes[0]
    error = (judged.high - judged.low) / 2 / stats.t.ppf(0.95, 799)
    assert need.chance == pytest.approx(stats.norm.sf(1.645 - 0.2 / error), abs=0.01)


def test_an_ece_is_not_planned(make: Any) -> None:
    for check in (make.check("calibration", measure="ece"), make.check("threshold", metric="ece", min=0.01)):
        assert "falls as rows grow" in need_of(make, check, evidence=pilot()).why


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"power": 1}, "power is 1"),
        ({"power": math.nan}, "power is nan"),
        ({"disagreement": 0}, "disagreement is 0"),
        ({"disagreement": math.nan}, "disagreement is nan"),
        ({"gain": {"acuracy": 0.01}}, "no gate compares 'acuracy'; expected one of the metrics compared: accuracy"),
        ({"gain": math.inf}, "the gain of accuracy is inf"),
        ({"disagreement": 0.1, "evidence": True}, "both given"),
    ],
)
def test_what_cannot_be_planned_is_said(make: Any, arguments: dict[str, Any], message: str) -> None:
    options = {"power": 0.8, **arguments}
    if "evidence" in options:
        options["evidence"] = pilot()
    with pytest.raises(LockgateError, match=message):
        plan(make.policy({"gate": AHEAD}), **options)


def test_a_gain_beyond_the_disagreement_is_said(make: Any) -> None:
    assert "more than the 0.05 of the rows" in need_of(make, AHEAD, gain=0.06, disagreement=0.05).why


def test_evidence_that_no_gate_could_be_judged_on(make: Any) -> None:
    with pytest.raises(EvidenceError, match="challenger"):
        plan(make.policy({"gate": KEPT}), power=0.8, evidence=pilot(challenger=np.full(2000, np.nan)))


def test_planning_twice_says_the_same(make: Any) -> None:
    policy = make.policy({"kept": KEPT, "sites": SITES})
    results: list[RowPlan] = [plan(policy, power=0.8, evidence=pilot(clusters=50)) for _ in range(2)]
    assert results[0] == results[1]
