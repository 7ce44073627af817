"""How verdicts become a decision, and the state after it.

Tests of gates/gate/case.py
"""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from lockgate import Evidence, Outcome, Ruling, State, Verdict, judge
from lockgate.gates.errors import LockgateError, StaleError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check
from lockgate.gates.judge.engine import ENGINE
from lockgate.gates.judge.sealing import compute_commitment
from lockgate.gates.records.outcome import EXIT_CODE, RULING_OF, worst_verdict
from lockgate.gates.records.state import Champion

POINT = {"kind": "threshold", "metric": "accuracy", "decide": "point"}
SAYS = {
    "PASS": {**POINT, "min": 0.01},
    "FAIL": {**POINT, "min": 0.999},
    "INCONCLUSIVE": {"kind": "improvement", "metric": "accuracy", "margin": 0.0},
    "ERROR": {
        "kind": "slices",
        "by": "nowhere",
        "metric": "log_loss",
        "margin": 0.0,
        "require": "non_inferior",
        "min_rows": 1,
        "small_slice": "skip",
    },
    "SKIP": {
        "kind": "slices",
        "by": "site",
        "metric": "log_loss",
        "margin": 0.0,
        "require": "non_inferior",
        "min_rows": 10_000,
        "small_slice": "skip",
    },
}
EXPECTED = {"ERROR": "ERROR", "FAIL": "HOLD", "INCONCLUSIVE": "INCONCLUSIVE", "PASS": "PROMOTE"}


def judge_verdicts(make, *verdicts: str, warn: tuple[str, ...] = ()):
    checks = {f"b{i}_{v.lower()}": SAYS[v] for i, v in enumerate(verdicts)}
    checks |= {f"w{i}_{v.lower()}": {**SAYS[v], "severity": "warn"} for i, v in enumerate(warn)}
    arrays = make.arrays()
    return judge(make.policy(checks), make.evidence(challenger=arrays["champion"]))


@pytest.mark.parametrize("verdicts", [pair for k in (1, 2, 3) for pair in itertools.permutations(SAYS, k)])
def test_the_worst_blocking_gate_decides_and_every_gate_runs(make, verdicts: tuple[str, ...]) -> None:
    decision = judge_verdicts(make, *verdicts)
    assert [outcome.verdict for outcome in decision.outcomes] == list(verdicts)
    expected = next((EXPECTED[verdict] for verdict in EXPECTED if verdict in verdicts), "ERROR")
    assert decision.verdict == expected
    assert decision.exit_code == {"PROMOTE": 0, "HOLD": 1, "ERROR": 2, "INCONCLUSIVE": 3}[expected]
    if expected not in ("PROMOTE",) and any(verdict in verdicts for verdict in EXPECTED):
        decisive = next(verdict for verdict in EXPECTED if verdict in verdicts)
        assert f"b{verdicts.index(decisive)}_{decisive.lower()}" in decision.reason


@pytest.mark.parametrize("warning", SAYS)
def test_a_warning_decides_nothing(make, warning: str) -> None:
    assert judge_verdicts(make, "PASS", warn=(warning,)).verdict == Ruling.PROMOTE
    assert judge_verdicts(make, "SKIP", warn=("PASS", warning)).verdict == Ruling.ERROR
    assert judge_verdicts(make, "FAIL", warn=(warning,)).verdict == Ruling.HOLD


def test_tables_of_verdicts_agree() -> None:
    assert set(RULING_OF) == set(Verdict) - {Verdict.SKIP}
    assert {ruling: EXIT_CODE[ruling] for ruling in Ruling} == {
        Ruling.PROMOTE: 0,
        Ruling.HOLD: 1,
        Ruling.ERROR: 2,
        Ruling.INCONCLUSIVE: 3,
    }
    assert worst_verdict([]) == worst_verdict([Verdict.SKIP]) == Verdict.SKIP


def test_an_outcome_has_the_fields_of_the_contract() -> None:
    assert set(Outcome.model_fields) == {
        "name",
        "kind",
        "severity",
        "verdict",
        "metric",
        "observed",
        "low",
        "high",
        "level",
        "p",
        "rule",
        "rows",
        "clusters",
        "information",
        "message",
        "parts",
        "waived",
        "description",
        "owner",
    }


@given(st.floats(allow_nan=True, allow_infinity=True))
@settings(max_examples=100)
def test_numbers_have_twelve_digits_or_do_not_exist(value: float) -> None:
    outcome = Outcome(name="a", kind="threshold", severity="block", verdict=Verdict.PASS, observed=value).observed
    assert outcome == (float(f"{value:.12g}") if math.isfinite(value) else None)


def test_a_gate_that_breaks_is_an_error_and_the_others_still_run(make) -> None:
    huge = make.evidence(weight=np.full(600, 1.0), label=np.zeros(600))
    checks = {"broken": {**POINT, "metric": "auc", "min": 0.1}, "well": SAYS["PASS"]}
    decision = judge(make.policy(checks), huge)
    assert [outcome.verdict for outcome in decision.outcomes] == ["ERROR", "PASS"]
    assert "expected rows of both labels" in decision.outcomes[0].message


class Odd(Check):
    """A gate that is not as it should be: it says a number that is none, or breaks."""

    kind: str = "odd"
    metric: str = "oddness"
    breaks: bool

    def judge(self, name: str, case: Case) -> Outcome:
        if self.breaks:
            raise ZeroDivisionError(f"{name} by 0")
        return self.outcome(name, Verdict.PASS, "it passes", case, metric=self.metric, observed=math.nan)


@pytest.mark.parametrize(
    ("breaks", "message"),
    [(True, "the gate broke: ZeroDivisionError: odd by 0"), (False, "oddness is not a finite number on these rows")],
)
@pytest.mark.parametrize("severity", ["block", "warn"])
def test_whatever_goes_wrong_in_a_gate_is_an_error_of_that_gate(
    make, breaks: bool, message: str, severity: str
) -> None:
    odd = Odd(breaks=breaks, severity=severity, description="why", owner="us")
    policy = make.policy({"well": SAYS["PASS"]})
    policy = policy.model_copy(update={"checks": {"odd": odd, **policy.checks}})
    decision = judge(policy, make.evidence(cluster=np.arange(600) % 40))
    assert decision.outcomes[0] == Outcome(
        name="odd",
        kind="odd",
        severity=severity,
        verdict=Verdict.ERROR,
        metric="oddness",
        rows=600,
        clusters=40,
        message=message,
        description="why",
        owner="us",
    )
    assert decision.outcomes[1].verdict == Verdict.PASS
    assert decision.verdict == (Ruling.ERROR if severity == "block" else Ruling.PROMOTE)


def make_ranking(**columns) -> Evidence:
    """120 queries of 5 rows; the challenger ranks most of them well."""
    rng = np.random.default_rng(5)
    label = np.tile([3.0, 2, 1, 0, 0], 120)
    return Evidence.from_arrays(
        label=label,
        challenger=label + rng.normal(0, 1, 600),
        champion=label + rng.normal(0, 3, 600),
        task="ranking",
        query=np.arange(600) // 5,
        **columns,
    )


@pytest.mark.parametrize(
    ("columns", "clusters", "counted"),
    [
        ({}, "if_present", 120),
        ({}, "ignore", 120),
        ({}, "required", 120),
        ({"cluster": np.arange(600) // 20}, "if_present", 30),
        ({"cluster": np.arange(600) // 20}, "ignore", 120),
    ],
)
def test_rows_that_are_ranked_together_are_one_cluster(make, columns: dict, clusters: str, counted: int) -> None:
    gain = {"kind": "improvement", "metric": "ndcg", "margin": 0.0}
    evidence = make_ranking(**columns)
    outcome = make.judge(gain, evidence, clusters=clusters).outcomes[0]
    assert (outcome.verdict, outcome.clusters) == (Verdict.PASS, counted)
    lists = [scores.reshape(120, 5) for scores in (evidence.label, evidence.challenger, evidence.champion)]
    assert outcome.observed == pytest.approx(ndcg_score(lists[0], lists[1]) - ndcg_score(lists[0], lists[2]))


def test_queries_are_no_clusters_of_other_tasks(make) -> None:
    outcome = make.judge(SAYS["PASS"], make.evidence(query=np.arange(600) // 5)).outcomes[0]
    assert (outcome.verdict, outcome.clusters) == (Verdict.PASS, None)


# --- champion and state --------------------------------------------------------------------------------------------

REIGNING = State(seq=4, champion=Champion(sha256="a" * 64, run="flow/1", seq=2))


@pytest.mark.parametrize(
    ("facts", "state", "stale"),
    [
        ({"champion": {"sha256": "b" * 64, "run": "flow/0"}}, REIGNING, True),
        ({"champion": {"sha256": "a" * 64, "run": "flow/1"}}, REIGNING, False),
        ({"champion": None}, REIGNING, True),
        ({}, REIGNING, False),
        ({"champion": {"sha256": "b" * 64}}, None, False),
        ({"champion": {"sha256": "b" * 64}}, State(seq=3), False),
    ],
)
def test_stale(make, facts: dict, state: State | None, stale: bool) -> None:
    policy = make.policy()
    evidence = make.evidence(facts=make.facts(**facts))
    if stale:
        with pytest.raises(StaleError, match=r"STALE.*evaluate again"):
            judge(policy, evidence, state)
    else:
        assert judge(policy, evidence, state).verdict == Ruling.PROMOTE


def test_the_new_champion_and_its_predecessors(make) -> None:
    challenger = {"sha256": "c" * 64, "run": "flow/9", "format": "xgb"}
    evidence = make.evidence(facts=make.facts(challenger=challenger, as_of="2024-05"))
    now = datetime(2024, 6, 1, tzinfo=UTC)
    state = judge(make.policy(valid_for="36h"), evidence, REIGNING, now=now).state
    assert state.seq == 5
    assert state.champion == Champion(
        sha256="c" * 64, run="flow/9", format="xgb", as_of="2024-05", seq=5, valid_until=now + timedelta(hours=36)
    )
    assert state.predecessors == (REIGNING.champion,)
    hold = judge(make.policy({"gate": SAYS["FAIL"]}), evidence, REIGNING).state
    assert (hold.seq, hold.champion, hold.predecessors) == (5, REIGNING.champion, ())


def test_a_time_without_zone_is_refused(make) -> None:
    with pytest.raises(LockgateError) as caught:
        judge(make.policy(), make.evidence(), now=datetime(2026, 1, 1))  # noqa: DTZ001 (that is the point)
    assert str(caught.value) == "`now` has no time zone; expected an aware datetime, as datetime.now(UTC)"


def test_broken_evidence_is_an_error_whoever_reigns(make) -> None:
    evidence = make.evidence(facts=make.facts(challenger={"sha256": "a" * 64}))
    decision = judge(make.policy({"gate": SAYS["ERROR"]}), evidence, REIGNING)
    assert (decision.already_champion, decision.exit_code) == (False, 2)


@pytest.mark.parametrize("says", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_already_champion_exits_with_zero_and_changes_nothing(make, says: str) -> None:
    arrays = make.arrays()
    evidence = make.evidence(challenger=arrays["champion"], facts=make.facts(challenger={"sha256": "a" * 64}))
    decision = judge(make.policy({"gate": SAYS[says]}, schedule={"kind": "single"}), evidence, REIGNING)
    assert (decision.already_champion, decision.exit_code) == (True, 0)
    assert "champion already" in decision.reason
    assert (decision.state.champion, decision.state.holdouts) == (REIGNING.champion, {})
    assert decision.seal().exit_code == 0


@pytest.mark.parametrize(("says", "code"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 1), ("ERROR", 1)])
def test_sealed_tells_promoted_or_not(make, says: str, code: int) -> None:
    sealed = judge_verdicts(make, says).seal()
    assert (sealed.exit_code, sealed.outcomes, sealed.sealed) == (code, (), True)
    assert sealed.verdict == ("HOLD" if code else "PROMOTE")
    assert "observed" not in sealed.to_json()
    assert json.loads(sealed.to_json())["reason"] == "the policy discloses promotions only"
    assert judge_verdicts(make, says).model_copy(update={"sealed": True}).exit_code == code


# --- what a decision binds, revocations and waivers -----------------------------------------------------------------

MODEL, REIGNS = {"run": "flow/9", "sha256": "c" * 64}, {"run": "flow/1", "sha256": "a" * 64}
CODE = {"commit": "d" * 40, "clean": False}


def test_a_decision_binds_what_it_was_made_on(make) -> None:
    policy = make.policy()
    evidence = make.evidence(facts=make.facts(challenger=MODEL, champion=REIGNS, code=CODE))
    bound = judge(policy, evidence, REIGNING).binding
    assert bound.model_dump() == {
        "run": "flow/9",
        "model": "c" * 64,
        "champion_run": "flow/1",
        "champion_model": "a" * 64,
        "commit": "d" * 40,
        "clean": False,
        "holdout": evidence.holdout,
        "train": evidence.train_digest,
        "scores": evidence.scores_digest(evidence.challenger),
        "champion_scores": evidence.scores_digest(evidence.champion),
        "policy": policy.digest,
        "engine": ENGINE,
    }
    assert bound.scores != bound.champion_scores


def test_a_decision_names_its_level_and_commits_to_what_it_withholds(make) -> None:
    evidence = make.evidence()
    for disclose in ("all", "promotion_only"):
        decision = judge(make.policy(disclose=disclose, confidence=0.9), evidence)
        commitment = compute_commitment(evidence, decision.binding, decision.verdict, decision.outcomes)
        assert (decision.confidence, decision.commitment) == (0.9, commitment if disclose == "promotion_only" else None)


@pytest.mark.parametrize("clusters", ["if_present", "required", "ignore"])
def test_clusters_that_are_required_must_be_there(make, clusters: str) -> None:
    without = judge(make.policy(clusters=clusters), make.evidence())
    assert without.verdict == (Ruling.ERROR if clusters == "required" else Ruling.PROMOTE)
    assert ("the policy requires clusters" in without.outcomes[0].message) == (clusters == "required")
    decision = judge(make.policy(clusters=clusters), make.evidence(cluster=np.arange(600) % 40))
    assert (decision.verdict, decision.outcomes[0].clusters) == (Ruling.PROMOTE, None if clusters == "ignore" else 40)


@pytest.mark.parametrize("odd", [None, 5, [], {"run": 5, "sha256": True, "commit": 1.5, "clean": "yes"}])
def test_what_is_no_text_is_not_bound(make, odd: object) -> None:
    facts = make.facts(challenger=odd, code=odd, as_of=202405)
    decision = judge(make.policy(), make.evidence(champion=None, facts={**facts, "champion": None}))
    bound = decision.binding
    assert (bound.run, bound.model, bound.commit, bound.clean) == (None, None, None, None)
    assert (bound.champion_run, bound.champion_model, bound.champion_scores) == (None, None, None)
    assert decision.state.champion == Champion(sha256=None, seq=1)


def test_a_format_that_is_no_text_is_not_kept(make) -> None:
    evidence = make.evidence(facts=make.facts(challenger={**MODEL, "format": 5}))
    assert judge(make.policy(), evidence).state.champion == Champion(sha256="c" * 64, run="flow/9", seq=1)
