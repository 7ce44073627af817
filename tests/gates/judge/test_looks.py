"""Looks at a holdout: how they are counted, spent, repeated and sealed, and what is promised in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockgate import Ruling, State, Verdict, judge
from lockgate.gates.judge.looks import describe_conditions, describe_guarantee
from lockgate.gates.metrics.rows import Rows
from lockgate.gates.records.state import Holdout

GAIN = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}
KEPT = {**GAIN, "margin": -0.1}


def make_policy(make, kind: str, looks: int = 2, checks=None, **keys):
    schedule = {"kind": kind, "looks": looks} if kind == "fixed" else {"kind": kind}
    return make.policy(checks or {"gain": GAIN, "floor": make.checks["threshold"]}, schedule=schedule, **keys)


def other(make, seed: int, **columns):
    """Another challenger on the same holdout, better than the champion."""
    noise = np.random.default_rng(seed).normal(0, 0.01, 600)
    return make.evidence(challenger=np.clip(make.arrays()["challenger"] + noise, 0, 1), **columns)


def no_better(make, seed: int, **columns):
    """Another challenger on the same holdout, hardly different from the champion."""
    return make.evidence(challenger=np.clip(make.arrays()["champion"] * (1 - 1e-4 * seed), 0, 1), **columns)


def only(state: State) -> Holdout:
    (holdout,) = state.holdouts.values()
    return holdout


@pytest.mark.parametrize(("kind", "level"), [("fixed", 1 - 0.05 / 4), ("single", 0.95), ("open", 0.95)])
def test_levels(make, kind: str, level: float) -> None:
    checks = {"gain": GAIN, "kept": KEPT, "floor": make.checks["threshold"], "site": make.checks["slices"]}
    decision = judge(make_policy(make, kind, 4, checks), make.evidence())
    assert [outcome.level for outcome in decision.outcomes] == pytest.approx([level, 0.95, 0.95, 0.95])
    assert decision.look.of == {"fixed": 4, "single": 1, "open": None}[kind]


@pytest.mark.parametrize(("kind", "looks"), [("fixed", 2), ("fixed", 20), ("single", 1)])
def test_looks_are_counted_and_then_spent(make, kind: str, looks: int) -> None:
    policy, state = make_policy(make, kind, looks), State()
    for number in range(1, looks + 1):
        decision = judge(policy, no_better(make, number), state)
        assert (decision.look.number, decision.look.of, decision.look.scheduled) == (number, looks, True)
        assert decision.look.message == f"look {number} of {looks} at this holdout"
        assert decision.look.holdouts == (make.evidence().holdout,)
        assert decision.verdict == Ruling.INCONCLUSIVE
        state = decision.state
    spent = judge(policy, make.evidence(), state)
    assert spent.outcomes[0].verdict == spent.verdict == Verdict.INCONCLUSIVE
    assert f"the {looks} looks declared for this holdout are spent" in spent.outcomes[0].message
    assert spent.look.message.startswith(f"no look was taken: the {looks} looks declared")
    assert (spent.look.number, spent.look.holdouts) == (None, ())
    assert spent.outcomes[0].p < 0.001
    assert spent.state.holdouts == state.holdouts
    assert only(state).spent == pytest.approx(0.05)
    assert judge(policy, make.evidence(seed=8), state).verdict == Ruling.PROMOTE  # another holdout


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ((("fixed", 4),) * 2, ("fixed", 4), True),
        ((("fixed", 4),) * 2, ("fixed", 2), True),
        ((("fixed", 4),) * 2, ("single", 1), False),
        ((("fixed", 4),) * 3, ("fixed", 2), False),
        ((("fixed", 2),) * 2, ("fixed", 40), False),
        ((("single", 1),), ("fixed", 1_000_000), False),
    ],
)
def test_a_changed_schedule_does_not_bring_back_what_was_spent(make, before, after, *, may: bool) -> None:
    """Error rates add up, whatever the policies that used them."""
    state = State()
    for number, (kind, looks) in enumerate(before, start=1):
        state = judge(make_policy(make, kind, looks), no_better(make, number), state).state
    decision = judge(make_policy(make, *after), make.evidence(), state)
    assert decision.verdict == (Ruling.PROMOTE if may else Ruling.INCONCLUSIVE)
    if not may:
        assert "spent" in decision.outcomes[0].message


def test_open_never_ends_and_keeps_no_ledger(make) -> None:
    policy, state = make_policy(make, "open"), State()
    for seed in range(3):
        decision = judge(policy, other(make, seed), state)
        assert (decision.verdict, decision.look.scheduled, decision.state.holdouts) == (Ruling.PROMOTE, False, {})
        assert "no guarantee under reuse" in decision.guarantee
        assert decision.look.message == "looks at this holdout are not counted"
        state = decision.state.model_copy(update={"champion": None})


@pytest.mark.parametrize("kind", ["fixed", "single"])
def test_spent_leaves_fail_and_error_alone(make, kind: str) -> None:
    policy = make_policy(make, kind, 1)
    state = judge(policy, no_better(make, 1)).state
    arrays = make.arrays()
    failing = make.evidence(challenger=arrays["champion"], champion=arrays["challenger"])
    assert judge(policy, failing, state).outcomes[0].verdict == Verdict.FAIL
    broken = make.evidence(challenger=np.where(np.arange(600) == 3, np.nan, arrays["challenger"]))
    assert judge(policy, broken, state).outcomes[0].verdict == Verdict.ERROR


@pytest.mark.parametrize("spent", ["retired", "looks"])
def test_spent_concerns_scheduled_comparisons_only(make, spent: str) -> None:
    checks = {"gain": GAIN, **{kind: make.checks[kind] for kind in make.checks if kind != "improvement"}}
    policy = make_policy(make, "fixed", 1, {**checks, "kept": KEPT})
    looked = judge(policy, no_better(make, 1)).state
    state = State(holdouts=looked.retire_holdouts(looked.holdouts).holdouts) if spent == "retired" else looked
    verdicts = [outcome.verdict for outcome in judge(policy, make.evidence(), state).outcomes]
    assert verdicts == ["INCONCLUSIVE" if check.is_scheduled else "PASS" for check in policy.checks.values()]
    assert verdicts.count("PASS") > len(verdicts) / 2


@pytest.mark.parametrize("kind", ["fixed", "single", "open"])
@pytest.mark.parametrize("check", ["gain", "kept", "floor"])
def test_a_promotion_over_a_champion_retires_the_holdout(make, kind: str, check: str) -> None:
    checks = {"gain": GAIN, "kept": KEPT, "floor": make.checks["threshold"]}
    decision = judge(make_policy(make, kind, 5, {check: checks[check]}), make.evidence())
    assert decision.verdict == Ruling.PROMOTE
    if kind == "open":
        assert decision.state.holdouts == {}
    else:
        assert only(decision.state).retired
        assert len(only(decision.state).looks) == (check == "gain")
    again = judge(make_policy(make, kind, 5), other(make, 3), decision.state)
    assert again.verdict == (Ruling.PROMOTE if kind == "open" else Ruling.INCONCLUSIVE)
    assert ("retired" in again.outcomes[0].message) == (kind != "open")


@pytest.mark.parametrize("kind", ["fixed", "single"])
def test_a_promotion_without_a_champion_retires_nothing_and_costs_no_look(make, kind: str) -> None:
    first = judge(make_policy(make, kind), make.evidence(champion=None))
    assert (first.verdict, first.state.holdouts, first.look.scheduled) == (Ruling.PROMOTE, {}, False)
    assert first.look.message == "no look was taken: nothing was judged that asks for a gain"
    assert judge(make_policy(make, kind), make.evidence(), first.state).verdict == Ruling.PROMOTE


@pytest.mark.parametrize("looks", [1, 2])
def test_repeating_a_look_costs_nothing_and_says_the_same(make, looks: int) -> None:
    policy = make_policy(make, "fixed", looks)
    first = judge(policy, make.evidence())
    again = judge(policy, make.evidence(), first.state)
    assert (first.look.repeated, again.look.repeated) == (False, True)
    assert again.outcomes == first.outcomes
    assert (again.verdict, again.look.key) == (first.verdict, first.look.key)
    assert again.state.holdouts == first.state.holdouts


def test_a_repeated_look_has_the_number_that_it_had(make) -> None:
    policy, state = make_policy(make, "fixed", 9), State()
    for number in (1, 2, 3):
        state = judge(policy, no_better(make, number), state).state
    again = judge(policy, no_better(make, 2), state)
    assert again.look.message == "look 2 of 9 at this holdout, taken before: recorded, and free"


def test_a_look_is_a_question(make) -> None:
    """Of holdout, scores, champion and policy, and of what else a comparison reads; not of the run that asks."""
    arrays = make.arrays()
    code = np.arange(600) % 30
    fixed = make_policy(make, "fixed")
    questions = [
        (fixed, make.evidence()),
        (make_policy(make, "fixed", 3), make.evidence()),
        (fixed, other(make, 1)),
        (fixed, make.evidence(champion=arrays["champion"] * 0.5)),
        (fixed, make.evidence(label=1 - arrays["label"])),
        (fixed, make.evidence(weight=np.linspace(1, 2, 600))),
        (fixed, make.evidence(cluster=code)),
        (fixed, make.evidence(cluster=code[::-1])),
        (fixed, make.evidence(cluster=[f"day {number}" for number in code])),
        (fixed, make.evidence(query=code)),
        (fixed, make.evidence(slices={})),
        (fixed, make.evidence(slices={"place": arrays["slices"]["site"]})),
        (fixed, make.evidence(task="regression")),
    ]
    assert len({judge(policy, evidence).look.key for policy, evidence in questions}) == len(questions)
    same = [
        make.evidence(facts=make.facts(note="another run")),
        make.evidence(time=[str(number) for number in range(600)]),
    ]
    assert {judge(fixed, evidence).look.key for evidence in same} == {judge(*questions[0]).look.key}


def test_the_same_scores_under_other_weights_are_charged(make) -> None:
    policy, state = make_policy(make, "fixed", 3), State()
    for number, top in enumerate((1, 2, 3), start=1):
        decision = judge(policy, no_better(make, 1, weight=np.linspace(1, top, 600)), state)
        assert decision.look.number == number
        state = decision.state
    assert "spent" in judge(policy, no_better(make, 1, weight=np.linspace(1, 4, 600)), state).look.message


def test_the_model_that_reigns_takes_no_look(make) -> None:
    facts = {"challenger": {"sha256": "a" * 64}}
    reigning = judge(make.policy(), make.evidence(champion=None, facts=make.facts(**facts))).state
    decision = judge(make_policy(make, "single"), no_better(make, 1, facts=make.facts(**facts)), reigning)
    assert decision.already_champion
    assert decision.look.message == "no look was taken: this model is the champion"
    assert decision.state.holdouts == {}


@pytest.mark.parametrize("kind", ["fixed", "single"])
def test_what_cannot_be_judged_takes_no_look(make, kind: str) -> None:
    state = judge(make_policy(make, kind, 9), no_better(make, 1)).state
    nobody = make.evidence(0, slices={}, facts={})
    twice = make.evidence(row_id=np.arange(600) // 2)
    for broken in (nobody, twice):
        decision = judge(make_policy(make, kind, 9), broken, state)
        assert (decision.verdict, decision.look.scheduled, decision.look.number) == (Ruling.ERROR, False, None)
        assert decision.state.holdouts == state.holdouts


# --- the promise ---------------------------------------------------------------------------------------------------

ANSWERS = "however challengers are chosen through lockgate's answers"
NUMBERS = "for challengers that were not tuned on the numbers shown"
PROMISE = (
    "{over}, the probability of replacing the champion by any challenger without the gain asked is at most 0.05, "
    "{holds}; whoever holds the labels is outside of it"
)
ROWS = Rows(label=np.zeros(4), challenger=np.zeros(4))
CLUSTERED = replace(ROWS, cluster=np.array([0, 0, 1, 1]))


@pytest.mark.parametrize(("disclose", "holds"), [("all", NUMBERS), ("promotion_only", ANSWERS)])
@pytest.mark.parametrize(
    ("kind", "looks", "over"),
    [
        ("fixed", 20, "over 20 looks at one holdout"),
        ("fixed", 1, "at the one look at a holdout"),
        ("single", 1, "at the one look at a holdout"),
    ],
)
def test_what_a_schedule_promises(make, disclose: str, holds: str, kind: str, looks: int, over: str) -> None:
    policy = make_policy(make, kind, looks, disclose=disclose)
    assert describe_guarantee(policy) == PROMISE.format(over=over, holds=holds)
    assert judge(policy, make.evidence()).guarantee == judge(policy, make.evidence()).seal().guarantee


@pytest.mark.parametrize("disclose", ["all", "promotion_only"])
def test_open_promises_nothing(make, disclose: str) -> None:
    assert describe_guarantee(make_policy(make, "open", disclose=disclose)) == (
        "no guarantee under reuse of the holdout: each comparison errs with probability at most 0.05, and among many "
        "looks a false promotion is to be expected"
    )


@pytest.mark.parametrize(
    ("rows", "keys", "timed", "units", "said"),
    [
        (ROWS, {}, True, "rows", "rows count as independent, which is not checked"),
        (CLUSTERED, {}, False, "clusters", "clusters count as independent of each other, which is not checked"),
        (CLUSTERED, {}, True, "clusters", "clusters count as independent of each other, which is not checked"),
        (
            CLUSTERED,
            {"serial_dependence": "ignore"},
            True,
            "clusters",
            "clusters count as independent of each other, as the policy says",
        ),
        (
            replace(CLUSTERED, ordered=True),
            {},
            True,
            "clusters",
            "clusters follow each other in time: what neighbours share is allowed for, a longer memory is not",
        ),
    ],
)
def test_the_conditions_of_a_promise_are_named(
    make, rows: Rows, keys: dict, timed: bool, units: str, said: str
) -> None:
    assert describe_conditions(make_policy(make, "single", **keys), rows, timed=timed) == (
        f"conditions: {said}; skew is allowed for as far as these {units} show it, and too few {units}, or rows of the "
        "rarer class, show nothing; events too rare to be among them are not excluded"
    )


@pytest.mark.parametrize(
    ("checks", "promised"),
    [
        ({"gain": GAIN}, True),
        ({"kept": KEPT}, False),
        ({"gain": {**GAIN, "severity": "warn"}, "kept": KEPT}, False),
        ({"either": {"kind": "any_of", "checks": {"gain": GAIN, "kept": KEPT}}}, False),
        ({"either": {"kind": "any_of", "checks": {"gain": GAIN, "more": {**GAIN, "metric": "brier"}}}}, True),
    ],
)
def test_only_a_gate_that_blocks_without_a_gain_promises_one(make, checks, *, promised: bool) -> None:
    guarantee = describe_guarantee(make_policy(make, "fixed", checks=checks))
    assert ("without the gain asked" in guarantee) == promised
    assert (
        guarantee.startswith("over 2 looks") if promised else guarantee.startswith("no blocking gate asks for a gain")
    )
