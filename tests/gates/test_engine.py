"""How verdicts become a decision, and the state after it."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates import Outcome, Ruling, State, Verdict, judge
from gates.errors import LockgateError, StaleError
from gates.outcome import EXIT_CODE, RULING_OF, worst
from gates.state import Champion

POINT = {"kind": "threshold", "metric": "accuracy", "decide": "point"}
SAYS = {
    "PASS": {**POINT, "min": 0.01},
    "FAIL": {**POINT, "min": 0.999},
    "INCONCLUSIVE": {"kind": "improvement", "metric": "accuracy", "margin": 0.0},
    "ERROR": {"kind": "slices", "by": "nowhere", "metric": "log_loss", "margin": 0.0, "require": "non_inferior",
              "min_rows": 1, "small_slice": "skip"},
    "SKIP": {"kind": "slices", "by": "site", "metric": "log_loss", "margin": 0.0, "require": "non_inferior",
             "min_rows": 10_000, "small_slice": "skip"},
}  # fmt: skip
EXPECTED = {"ERROR": "ERROR", "FAIL": "HOLD", "INCONCLUSIVE": "INCONCLUSIVE", "PASS": "PROMOTE"}


def told(make, *verdicts: str, warn: tuple[str, ...] = ()):
    checks = {f"b{i}_{v.lower()}": SAYS[v] for i, v in enumerate(verdicts)}
    checks |= {f"w{i}_{v.lower()}": {**SAYS[v], "severity": "warn"} for i, v in enumerate(warn)}
    held = make.arrays()
    return judge(make.policy(checks), make.evidence(challenger=held["champion"]))


@pytest.mark.parametrize("verdicts", [pair for k in (1, 2, 3) for pair in itertools.permutations(SAYS, k)])
def test_the_worst_blocking_gate_decides_and_every_gate_runs(make, verdicts: tuple[str, ...]) -> None:
    decision = told(make, *verdicts)
    assert [outcome.verdict for outcome in decision.outcomes] == list(verdicts)
    expected = next((EXPECTED[one] for one in EXPECTED if one in verdicts), "ERROR")
    assert decision.verdict == expected
    assert decision.exit_code == {"PROMOTE": 0, "HOLD": 1, "ERROR": 2, "INCONCLUSIVE": 3}[expected]
    if expected not in ("PROMOTE",) and any(one in verdicts for one in EXPECTED):
        decisive = next(one for one in EXPECTED if one in verdicts)
        assert f"b{verdicts.index(decisive)}_{decisive.lower()}" in decision.reason


@pytest.mark.parametrize("warning", SAYS)
def test_a_warning_decides_nothing(make, warning: str) -> None:
    assert told(make, "PASS", warn=(warning,)).verdict == Ruling.PROMOTE
    assert told(make, "SKIP", warn=("PASS", warning)).verdict == Ruling.ERROR
    assert told(make, "FAIL", warn=(warning,)).verdict == Ruling.HOLD


def test_tables_of_verdicts_agree() -> None:
    assert set(RULING_OF) == set(Verdict) - {Verdict.SKIP}
    assert {ruling: EXIT_CODE[ruling] for ruling in Ruling} == {
        Ruling.PROMOTE: 0, Ruling.HOLD: 1, Ruling.ERROR: 2, Ruling.INCONCLUSIVE: 3,
    }  # fmt: skip
    assert worst([]) == worst([Verdict.SKIP]) == Verdict.SKIP


def test_an_outcome_has_the_fields_of_the_contract() -> None:
    assert set(Outcome.model_fields) == {
        "name", "kind", "severity", "verdict", "metric", "observed", "low", "high", "level", "p", "rule", "rows",
        "clusters", "message", "parts", "waived", "description", "owner",
    }  # fmt: skip


@given(st.floats(allow_nan=True, allow_infinity=True))
@settings(max_examples=200)
def test_numbers_have_twelve_digits_or_do_not_exist(value: float) -> None:
    made = Outcome(name="a", kind="threshold", severity="block", verdict=Verdict.PASS, observed=value).observed
    assert made == (float(f"{value:.12g}") if math.isfinite(value) else None)


def test_a_gate_that_breaks_is_an_error_and_the_others_still_run(make) -> None:
    huge = make.evidence(weight=np.full(600, 1.0), label=np.zeros(600))
    checks = {"broken": {**POINT, "metric": "auc", "min": 0.1}, "well": SAYS["PASS"]}
    decision = judge(make.policy(checks), huge)
    assert [outcome.verdict for outcome in decision.outcomes] == ["ERROR", "PASS"]
    assert "expected rows of both labels" in decision.outcomes[0].message


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
    told = {"sha256": "c" * 64, "run": "flow/9", "format": "xgb"}
    evidence = make.evidence(facts=make.facts(challenger=told, as_of="2024-05"))
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
    with pytest.raises(LockgateError, match="no time zone"):
        judge(make.policy(), make.evidence(), now=datetime(2026, 1, 1))  # noqa: DTZ001 (that is the point)


def test_broken_evidence_is_an_error_whoever_reigns(make) -> None:
    evidence = make.evidence(facts=make.facts(challenger={"sha256": "a" * 64}))
    decision = judge(make.policy({"gate": SAYS["ERROR"]}), evidence, REIGNING)
    assert (decision.already_champion, decision.exit_code) == (False, 2)


@pytest.mark.parametrize("says", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_already_champion_exits_with_zero_and_changes_nothing(make, says: str) -> None:
    held = make.arrays()
    evidence = make.evidence(challenger=held["champion"], facts=make.facts(challenger={"sha256": "a" * 64}))
    decision = judge(make.policy({"gate": SAYS[says]}, schedule={"kind": "single"}), evidence, REIGNING)
    assert (decision.already_champion, decision.exit_code) == (True, 0)
    assert "champion already" in decision.reason
    assert (decision.state.champion, decision.state.holdouts) == (REIGNING.champion, {})
    assert decision.seal().exit_code == 0


@pytest.mark.parametrize(("says", "code"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 1), ("ERROR", 1)])
def test_sealed_tells_promoted_or_not(make, says: str, code: int) -> None:
    sealed = told(make, says).seal()
    assert (sealed.exit_code, sealed.outcomes, sealed.sealed) == (code, (), True)
    assert sealed.verdict == ("HOLD" if code else "PROMOTE")
    assert "observed" not in sealed.to_json()
    assert json.loads(sealed.to_json())["reason"] == "the policy discloses promotions only"
    assert told(make, says).model_copy(update={"sealed": True}).exit_code == code
