"""How verdicts become a decision, and what the schedule of looks does to it."""

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
from gates.state import Champion, Holdout

POINT = {"kind": "threshold", "metric": "accuracy", "decide": "point"}
SAYS = {
    "PASS": {**POINT, "min": 0.0},
    "FAIL": {**POINT, "max": -0.1, "min": -1.0},
    "INCONCLUSIVE": {"kind": "improvement", "metric": "accuracy", "margin": 0.0},
    "ERROR": {"kind": "slices", "by": "nowhere", "metric": "log_loss", "margin": 0.0, "require": "non_inferior",
              "min_rows": 1, "small_slice": "skip"},
    "SKIP": {"kind": "slices", "by": "site", "metric": "log_loss", "margin": 0.0, "require": "non_inferior",
             "min_rows": 10_000, "small_slice": "skip"},
}  # fmt: skip
EXPECTED = {"ERROR": "ERROR", "FAIL": "HOLD", "INCONCLUSIVE": "INCONCLUSIVE", "PASS": "PROMOTE"}
GAIN = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}


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
        "clusters", "message", "parts", "waived",
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


# --- schedules -----------------------------------------------------------------------------------------------------


def other(make, seed: int, **given):
    """Another challenger on the same holdout, better than the champion."""
    noise = np.random.default_rng(seed).normal(0, 0.01, 600)
    return make.evidence(challenger=np.clip(make.arrays()["challenger"] + noise, 0, 1), **given)


def scheduled(make, kind: str, looks: int = 2, checks=None, **keys):
    schedule = {"kind": kind, "looks": looks} if kind == "fixed" else {"kind": kind}
    return make.policy(checks or {"gain": GAIN, "floor": make.checks["threshold"]}, schedule=schedule, **keys)


def worse(make):
    held = make.arrays()
    return make.evidence(challenger=held["champion"] * 0.999)  # differs, and shows neither


@pytest.mark.parametrize(("kind", "level"), [("fixed", 1 - 0.05 / 4), ("single", 0.95), ("open", 0.95)])
def test_levels(make, kind: str, level: float) -> None:
    checks = {
        "gain": GAIN, "kept": {**GAIN, "margin": -0.1}, "floor": make.checks["threshold"], "site": make.checks["slices"]
    }  # fmt: skip
    decision = judge(scheduled(make, kind, 4, checks), make.evidence())
    assert [outcome.level for outcome in decision.outcomes] == pytest.approx([level, 0.95, 0.95, 0.95])
    assert decision.look.of == {"fixed": 4, "single": 1, "open": None}[kind]


def test_looks_are_counted_and_then_spent(make) -> None:
    policy, state = scheduled(make, "fixed", 2), State()
    for number in (1, 2):
        decision = judge(policy, other_worse(make, number), state)
        assert (decision.look.number, decision.look.of, decision.look.scheduled) == (number, 2, True)
        assert decision.verdict == Ruling.INCONCLUSIVE
        state = decision.state
    spent = judge(policy, make.evidence(), state)
    assert spent.outcomes[0].verdict == Verdict.INCONCLUSIVE
    assert "2 looks declared for this holdout are spent" in spent.outcomes[0].message
    assert spent.outcomes[0].p < 0.001
    assert spent.verdict == Ruling.INCONCLUSIVE
    assert spent.state.holdouts == state.holdouts
    assert judge(policy, make.evidence(seed=8), state).verdict == Ruling.PROMOTE  # another holdout


def other_worse(make, seed: int):
    held = make.arrays()
    return make.evidence(challenger=np.clip(held["champion"] * (1 - 1e-4 * seed), 0, 1))


def test_single_is_one_look(make) -> None:
    policy = scheduled(make, "single")
    state = judge(policy, other_worse(make, 1)).state
    assert judge(policy, make.evidence(), state).verdict == Ruling.INCONCLUSIVE


def test_open_never_ends_and_keeps_no_ledger(make) -> None:
    policy, state = scheduled(make, "open"), State()
    for seed in range(3):
        decision = judge(policy, other(make, seed), state)
        assert (decision.verdict, decision.look.scheduled, decision.state.holdouts) == (Ruling.PROMOTE, False, {})
        assert "no guarantee under reuse" in decision.guarantee
        state = decision.state.model_copy(update={"champion": None})


@pytest.mark.parametrize("kind", ["fixed", "single"])
def test_spent_leaves_fail_and_error_alone(make, kind: str) -> None:
    policy = scheduled(make, kind, 1)
    state = judge(policy, other_worse(make, 1)).state
    held = make.arrays()
    failing = make.evidence(challenger=held["champion"], champion=held["challenger"])
    assert judge(policy, failing, state).outcomes[0].verdict == Verdict.FAIL
    broken = make.evidence(challenger=np.where(np.arange(600) == 3, np.nan, held["challenger"]))
    assert judge(policy, broken, state).outcomes[0].verdict == Verdict.ERROR


@pytest.mark.parametrize("spent", ["retired", "looks"])
def test_spent_concerns_scheduled_comparisons_only(make, spent: str) -> None:
    checks = {"gain": GAIN, **{kind: make.checks[kind] for kind in make.checks if kind != "improvement"}}
    checks["kept"] = {**GAIN, "margin": -0.1}
    policy = scheduled(make, "fixed", 1, checks)
    holdout = make.evidence().holdout
    held = Holdout(retired=True) if spent == "retired" else Holdout(looks={"elsewhere": 1})
    verdicts = [one.verdict for one in judge(policy, make.evidence(), State(holdouts={holdout: held})).outcomes]
    assert verdicts == ["INCONCLUSIVE", *["PASS"] * 5]


@pytest.mark.parametrize("kind", ["fixed", "single", "open"])
@pytest.mark.parametrize("check", ["gain", "kept", "floor"])
def test_a_promotion_over_a_champion_retires_the_holdout(make, kind: str, check: str) -> None:
    checks = {"gain": GAIN, "kept": {**GAIN, "margin": -0.1}, "floor": make.checks["threshold"]}
    decision = judge(scheduled(make, kind, 5, {check: checks[check]}), make.evidence())
    assert decision.verdict == Ruling.PROMOTE
    held = decision.state.holdouts.get(make.evidence().holdout, Holdout())
    assert held.retired == (kind != "open")
    assert len(held.looks) == (kind != "open" and check == "gain")
    again = judge(scheduled(make, kind, 5), other(make, 3), decision.state)
    assert again.verdict == (Ruling.PROMOTE if kind == "open" else Ruling.INCONCLUSIVE)
    assert ("retired" in again.outcomes[0].message) == (kind != "open")


@pytest.mark.parametrize("kind", ["fixed", "single"])
def test_a_promotion_without_a_champion_retires_nothing_and_costs_no_look(make, kind: str) -> None:
    first = judge(scheduled(make, kind), make.evidence(champion=None))
    assert (first.verdict, first.state.holdouts, first.look.scheduled) == (Ruling.PROMOTE, {}, False)
    assert judge(scheduled(make, kind), make.evidence(), first.state).verdict == Ruling.PROMOTE


@pytest.mark.parametrize("looks", [1, 2])
def test_repeating_a_look_costs_nothing_and_says_the_same(make, looks: int) -> None:
    policy = scheduled(make, "fixed", looks)
    first = judge(policy, make.evidence())
    again = judge(policy, make.evidence(), first.state)
    assert (first.look.repeated, again.look.repeated) == (False, True)
    assert again.outcomes == first.outcomes
    assert (again.verdict, again.look.key) == (first.verdict, first.look.key)
    assert again.state.holdouts == first.state.holdouts


def test_a_look_is_keyed_by_holdout_scores_champion_and_policy(make) -> None:
    held = make.arrays()
    variants = [
        (scheduled(make, "fixed"), make.evidence()),
        (scheduled(make, "fixed", 3), make.evidence()),
        (scheduled(make, "fixed"), other(make, 1)),
        (scheduled(make, "fixed"), make.evidence(champion=held["champion"] * 0.5)),
        (scheduled(make, "fixed"), make.evidence(label=1 - held["label"])),
    ]
    assert len({judge(policy, evidence).look.key for policy, evidence in variants}) == 5
    renamed = make.evidence(facts=make.facts(note="another run"))
    assert judge(*variants[0]).look.key == judge(scheduled(make, "fixed"), renamed).look.key


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
