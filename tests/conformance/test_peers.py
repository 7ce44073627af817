"""Inputs on which well-known gates decide wrongly, each judged right.

What each tool does was seen by running it, or read in its source where the test says so.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, Ruling, State, Verdict, judge
from lockgate.gates.errors import PolicyError
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.records.state import Champion
from tests.reference import allow_for_rows


def losses(challenger: Any, champion: Any, rows: int = 200) -> Evidence:
    """Rows of label 0 whose absolute errors are the scores."""
    ours, theirs = (np.broadcast_to(np.asarray(item, dtype=float), rows) for item in (challenger, champion))
    return Evidence.from_arrays(label=np.zeros(rows), challenger=ours, champion=theirs, task="regression")


def answers(right: int, rows: int, **options: Any) -> Evidence:
    """A challenger that is right on so many rows."""
    return Evidence.from_arrays(label=np.ones(rows), challenger=(np.arange(rows) < right).astype(float), **options)


def verdict(make: Any, check: dict[str, Any], evidence: Evidence, **keys: Any) -> str:
    return str(make.judge(check, evidence, **keys).outcomes[0].verdict)


# --- MLflow, mlflow.validate_evaluation_results --------------------------------------------------------------------


@pytest.mark.parametrize("margin", [-0.1, 0.0, 0.1])
def test_mlflow_passes_nan_where_only_a_relative_rule_is_given(make: Any, margin: float) -> None:
    decision = make.judge({"kind": "improvement", "metric": "mae", "margin": margin}, losses(math.nan, 0.2))
    assert (decision.outcomes[0].verdict, decision.exit_code) == (Verdict.ERROR, 2)


@pytest.mark.parametrize(("new", "old", "gain"), [(0.3, 0.2, 0.1), (0.95, 0.9, 0.05)])
def test_mlflow_fails_decimals_that_meet_their_limit(make: Any, new: float, old: float, gain: float) -> None:
    """1 − MAE is the metric there: a gain whose bound is exactly what is asked."""
    off = np.tile([0.01, -0.01], 100)
    low, _ = allow_for_rows(gain - off).bounds(gain, 0.95)
    for requested, expected in ((low, "PASS"), (low + 1e-9, "INCONCLUSIVE")):
        check = {"kind": "improvement", "metric": "mae", "margin": requested}
        assert verdict(make, check, losses(1 - new + off, 1 - old)) == expected


def test_mlflow_has_a_key_error_where_the_baseline_lacks_the_metric(make: Any) -> None:
    """The champion never decides for 1: it has no precision. Say so, and judge the other gates."""
    evidence = make.evidence(champion=np.full(600, 0.1))
    checks = {"precision": make.check("improvement", metric="precision"), "loss": make.checks["improvement"]}
    lacking, judged = judge(make.policy(checks), evidence).outcomes
    assert (lacking.verdict, judged.verdict) == (Verdict.ERROR, Verdict.PASS)
    assert "precision" in lacking.message
    assert "undefined" in lacking.message


def test_mlflow_passes_without_thresholds(make: Any) -> None:
    with pytest.raises(PolicyError, match="no gates are declared"):
        make.policy({})


@pytest.mark.parametrize(("gain", "expected"), [(0.0005, "PASS"), (0.001, "FAIL")])
def test_mlflow_has_no_margin_for_a_small_loss(make: Any, gain: float, expected: str) -> None:
    """A loss of .0100 that falls to .0092: a gain of .0008, which no share of 1 expresses."""
    check = {"kind": "improvement", "metric": "mae", "margin": gain}
    assert verdict(make, check, losses(0.0092 + np.tile([1e-4, -1e-4], 100), 0.0100)) == expected


# --- TFMA ----------------------------------------------------------------------------------------------------------


def test_tfma_decides_by_the_point_and_shows_an_interval(make: Any) -> None:
    check = {"kind": "threshold", "metric": "accuracy", "min": 0.90, "decide": "bound"}
    decision = make.judge(check, answers(1803, 2000), confidence=0.975)
    outcome = decision.outcomes[0]
    assert outcome.observed == 0.9015
    assert (outcome.low, outcome.high) == pytest.approx((0.888, 0.914), abs=1e-3)
    assert (outcome.verdict, decision.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert verdict(make, {**check, "decide": "point"}, answers(1803, 2000)) == "PASS"  # declared, not by default


@pytest.mark.parametrize(("challenger", "expected"), [(1.4, "PASS"), (1.5, "FAIL"), (1.6, "FAIL")])
def test_tfma_turns_a_relative_change_round_where_the_baseline_is_negative(
    make: Any, challenger: float, expected: str
) -> None:
    """R² of −1.25 for the champion: better is nearer to 0, and a change relative to it says the reverse."""
    rng = np.random.default_rng(1)
    label = rng.choice([-1.0, 1.0], 2000)
    noise = rng.choice([-1.0, 1.0], 2000)
    evidence = Evidence.from_arrays(
        label=label, challenger=label + challenger * noise, champion=label + 1.5 * noise, task="regression"
    )
    outcome = make.judge({"kind": "improvement", "metric": "r2", "margin": 0.1}, evidence).outcomes[0]
    assert outcome.verdict == expected
    assert outcome.observed == pytest.approx(1.5**2 - challenger**2, abs=0.02)


@pytest.mark.parametrize(("small", "expected"), [("inconclusive", "INCONCLUSIVE"), ("skip", "PASS"), ("block", "FAIL")])
@pytest.mark.parametrize("kind", ["slices", "fairness"])
def test_tfma_calls_a_slice_below_the_size_a_metric_not_found(make: Any, kind: str, small: str, expected: str) -> None:
    sites = np.array(["north", "south", "west"])[np.arange(600) % 3]
    sites[:5] = "tiny"
    outcome = make.judge(make.check(kind, small_slice=small), make.evidence(slices={"site": sites})).outcomes[0]
    part = next(part for part in outcome.parts if part.name == "tiny")
    assert outcome.verdict == expected
    assert part.verdict == ("SKIP" if small == "skip" else expected)
    assert part.message == f"5 rows, at least 20 are asked; small_slice: {small}"


# --- Deepchecks ----------------------------------------------------------------------------------------------------


class Crashing(Threshold):
    """A gate with a mistake in it."""

    def judge(self, name: str, case: Any) -> Any:
        raise ZeroDivisionError("division by zero")


def test_deepchecks_passes_a_suite_of_which_a_check_crashed(make: Any) -> None:
    policy = make.policy({"broken": make.checks["threshold"], "well": make.checks["improvement"]})
    broken = Crashing(**make.checks["threshold"])
    decision = judge(policy.model_copy(update={"checks": {**policy.checks, "broken": broken}}), make.evidence())
    assert [outcome.verdict for outcome in decision.outcomes] == [Verdict.ERROR, Verdict.PASS]
    assert (decision.verdict, decision.exit_code, decision.state.champion) == (Ruling.ERROR, 2, None)
    assert "the gate broke: ZeroDivisionError" in decision.outcomes[0].message


# --- Argo Rollouts, analysis ---------------------------------------------------------------------------------------


def test_argo_calls_nan_a_success_where_only_a_failure_is_declared(make: Any) -> None:
    """`max` alone says what fails; what is no number does not meet it."""
    evidence = losses(math.nan, 0.2)
    assert verdict(make, {"kind": "threshold", "metric": "mae", "max": 1.0, "decide": "point"}, evidence) == "ERROR"


def test_argo_calls_no_conditions_a_success(make: Any) -> None:
    with pytest.raises(PolicyError, match="neither min nor max is given"):
        make.policy({"gate": {"kind": "threshold", "metric": "auc", "decide": "point"}})
    for nothing in ({"kind": "any_of", "checks": {}}, {"kind": "data"}, {"kind": "condition", "condition": ""}):
        with pytest.raises(PolicyError):
            make.policy({"gate": nothing})


# --- Kayenta -------------------------------------------------------------------------------------------------------


def test_kayenta_gives_a_group_without_data_full_marks(make: Any) -> None:
    """A declared slice that is not there is an ERROR, unless it is said to be optional."""
    check = make.check("slices", values=["north", "east"])
    outcome = make.judge(check, make.evidence()).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    assert next(part for part in outcome.parts if part.name == "east").message == "declared, but not in the holdout"
    assert verdict(make, {**check, "optional_values": ["east"]}, make.evidence()) == "PASS"


def test_kayenta_ignores_its_tolerance(make: Any) -> None:
    value = make.arrays()["challenger"]
    worse = make.evidence(challenger=np.clip(value + 0.02, 0, 1), champion=value)
    decided = [verdict(make, make.check("improvement", metric="brier", margin=m), worse) for m in (-0.05, -1e-6)]
    assert decided[0] == "PASS"
    assert decided[1] != "PASS"


# --- ease.ml/ci ----------------------------------------------------------------------------------------------------


def condition(text: str) -> dict[str, str]:
    return {"kind": "condition", "condition": text}


def better_by(rows: int, gain: float, d: float) -> Evidence:
    """A champion right on 80%, a challenger that wins and loses rows so that it gains exactly that much."""
    won, lost = round(rows * (d + gain) / 2), round(rows * (d - gain) / 2)
    old = (np.arange(rows) < rows * 0.8).astype(float)
    new = old.copy()
    new[:lost], new[rows - won :] = 0.0, 1.0
    return Evidence.from_arrays(label=np.ones(rows), challenger=new, champion=old)


def test_easeml_drops_the_tolerance_when_it_decides(make: Any) -> None:
    """The same gain, shown on many rows and on few: what follows +/- is asked too."""
    text = "n - o > 0 +/- 0.01"
    many, few = (make.judge(condition(text), better_by(rows, 0.06, 0.1)).outcomes[0] for rows in (20_000, 1_000))
    assert (many.verdict, few.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert "half-width" in few.message
    assert few.low > 0  # without the tolerance it would have passed


@pytest.mark.parametrize(("d", "expected"), [(0.02, "PASS"), (0.2, "FAIL")])
def test_easeml_takes_changed_decisions_to_be_0(make: Any, d: float, expected: str) -> None:
    assert verdict(make, condition("d < 0.1 +/- 0.02"), better_by(10_000, 0.01, d)) == expected


def test_easeml_needs_no_looks_at_all_for_its_first_change(make: Any) -> None:
    """`firstChange`: the holdout is used up by the first promotion. It takes looks to get there, and then it ends."""
    check, looks = condition("n - o > 0 +/- 0.1"), {"kind": "fixed", "looks": 3}
    state, observed = State(), []
    for gain in (0.0, 0.06, 0.07):
        decision = judge(make.policy({"gate": check}, schedule=looks), better_by(5_000, gain, 0.1), state)
        state = decision.state
        observed.append(decision.verdict)
    assert observed == [Ruling.INCONCLUSIVE, Ruling.PROMOTE, Ruling.INCONCLUSIVE]
    assert "this holdout is retired" in decision.outcomes[0].message
    with pytest.raises(PolicyError, match=r"gate\.schedule\.looks"):
        make.policy({"gate": check}, schedule={"kind": "fixed", "looks": 0})


# --- databricks/mlops-stacks (read) --------------------------------------------------------------------------------


def test_mlops_stacks_swallows_errors_in_a_dry_run_and_moves_the_champion(promoted: Any) -> None:
    """Advice on a log that cannot be read is no advice: exit code 2, one line, and nothing is moved."""
    (*_, head) = sorted((promoted.home / ".metaflow" / "lockgate").glob("*/log/*.json"))
    whole = head.read_bytes()
    head.write_bytes(whole[: len(whole) // 2])
    runs = promoted.runs()
    completed = promoted.run("evaluate", "--advisory")
    assert completed.returncode == 2, completed.stderr
    assert "Traceback" not in completed.stderr
    assert head.read_bytes() == whole[: len(whole) // 2]
    assert [run for run in promoted.runs() if promoted.tags(run)] == [run for run in runs if promoted.tags(run)]


# --- Outerbounds' demonstrations (read) ----------------------------------------------------------------------------


def test_outerbounds_judges_a_threshold_on_training_data(make: Any) -> None:
    """Rows that were trained on fail the gate `leakage`, which the default policy declares."""
    evidence = make.evidence(row_id=np.arange(700, 1300))
    checks = {"floor": make.checks["threshold"], "leakage": make.checks["leakage"]}
    decision = judge(make.policy(checks), evidence)
    assert [outcome.verdict for outcome in decision.outcomes] == [Verdict.PASS, Verdict.FAIL]
    assert decision.verdict == Ruling.HOLD
    assert "600 of 600 holdout rows" in decision.outcomes[1].message


def test_outerbounds_promotes_without_reading_the_evaluation(make: Any) -> None:
    """What a run says of itself decides nothing: numbers come from the rows."""
    boasting = make.facts(metrics={"auc": 0.99}, auc=0.99, verdict="PROMOTE", deployment_candidate=True)
    decision = make.judge(make.checks["threshold"], make.evidence(challenger=np.full(600, 0.5), facts=boasting))
    assert (decision.verdict, decision.outcomes[0].observed) == (Ruling.HOLD, 0.5)


def test_outerbounds_untags_the_champion_before_its_successor_is_tagged(make: Any) -> None:
    """A state has the old champion, or the new one before the old: there is no state between them."""
    old = Champion(sha256="a" * 64, run="flow/1", seq=1)
    for check in ({**make.checks["threshold"], "min": 0.999}, make.checks["threshold"]):
        decision = make.judge(check, make.evidence(), State(seq=1, champion=old))
        reigning = decision.state.champion
        assert reigning is not None
        if decision.verdict is Ruling.PROMOTE:
            assert (reigning.seq, decision.state.predecessors[0]) == (2, old)
        else:
            assert (reigning, decision.state.predecessors) == (old, ())
    assert decision.verdict is Ruling.PROMOTE
