"""The kind `any_of`: at least one of several checks passes.

Tests of gates/kinds/useless.py
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from lockgate import Evidence, Verdict, judge
from lockgate.gates.errors import PolicyError
from lockgate.gates.kinds.any_of import combine_alternatives
from tests.gates.conftest import Make

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {
        "checks": {
            "low": {"kind": "threshold", "metric": "auc", "min": 0.9, "decide": "bound"},
            "gap": Make.checks["calibration"],
        }
    },
    {
        "checks": {
            "low": {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "point"},
            "gain": Make.checks["improvement"],
        }
    },
    {"checks": {"fact": Make.checks["resource"], "gain": {**Make.checks["improvement"], "margin": 0.5}}},
    {
        "checks": {"one": {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "bound"}},
        "owner": "us",
        "description": "why",
    },
    {"checks": {"rows": {"kind": "data", "min_rows": 100}, "low": Make.checks["threshold"]}},
    {
        "checks": {
            name: {"kind": "threshold", "metric": "accuracy", "min": minimum, "decide": "bound"}
            for name, minimum in (("a", 0.6), ("b", 0.709), ("c", 0.99))
        }
    },
]
EDGES = {"constant scores of both": Verdict.FAIL}

LEAKAGE = {"kind": "leakage"}
GAIN = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}


def floor(minimum: float, metric: str = "accuracy", decide: str = "bound") -> dict:
    return {"kind": "threshold", "metric": metric, "min": minimum, "decide": decide}


def hits_of(n: int, hits: int, **more) -> Evidence:
    """n independent rows of which `hits` are decided right."""
    label = np.arange(n) % 2
    good = np.arange(n) < hits
    return Evidence.from_arrays(
        label=label.astype(float), challenger=np.where(good, label, 1 - label) * 0.8 + 0.1, **more
    )


def ask(make, checks: dict, evidence: Evidence, **keys):
    return make.judge({"kind": "any_of", "checks": checks}, evidence, **keys).outcomes[0]


@pytest.mark.parametrize("verdicts", [*itertools.product(Verdict, repeat=3)])
def test_what_three_checks_say_together(verdicts: tuple[Verdict, ...]) -> None:
    combined = combine_alternatives(list(verdicts))
    judged = [verdict for verdict in verdicts if verdict is not Verdict.SKIP]
    if Verdict.ERROR in verdicts:
        assert combined is Verdict.ERROR
    elif Verdict.PASS in verdicts:
        assert combined is Verdict.PASS
    elif not judged:
        assert combined is Verdict.SKIP
    else:
        assert combined is (Verdict.FAIL if set(judged) == {Verdict.FAIL} else Verdict.INCONCLUSIVE)


def test_one_check_is_judged_as_it_would_be_alone(make) -> None:
    evidence = hits_of(400, 360)
    for minimum in (0.8, 0.9, 0.95):
        alone, inside = make.judge(floor(minimum), evidence).outcomes[0], ask(make, {"a": floor(minimum)}, evidence)
        for key in ("verdict", "observed", "low", "high", "level"):
            assert getattr(alone, key) == getattr(inside, key) == getattr(inside.parts[0], key)


def lower(alpha: float) -> float:
    """Wilson's one-sided bound of 360 of 400."""
    return proportion_confint(360, 400, alpha=2 * alpha, method="wilson")[0]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_pass_is_asked_at_a_share_of_the_error_rate(make, k: int) -> None:
    others = {f"x{index}": floor(0.99) for index in range(k - 1)}
    for nudge, verdict in ((-1e-6, Verdict.PASS), (0.0, Verdict.PASS), (1e-6, Verdict.INCONCLUSIVE)):
        result = ask(make, {"a": floor(lower(0.05 / k) + nudge), **others}, hits_of(400, 360))
        assert result.verdict == verdict
        assert result.parts[0].level == pytest.approx(1 - 0.05 / k)


def test_what_passes_alone_only_says_so(make) -> None:
    result = ask(make, {"a": floor(0.87), "b": floor(0.99), "c": floor(0.99)}, hits_of(400, 360))
    assert result.verdict == Verdict.INCONCLUSIVE
    assert "passes alone, but 3 checks share the error rate" in result.message


def test_once_one_has_passed_the_others_share_what_is_left(make) -> None:
    """Holm: what cannot be shown at .975 can at .95, beside one that passed at .975."""
    between = (lower(0.05) + lower(0.025)) / 2
    result = ask(make, {"hard": floor(between), "easy": floor(0.5)}, hits_of(400, 360))
    assert [part.verdict for part in result.parts] == [Verdict.PASS, Verdict.PASS]
    assert [part.level for part in result.parts] == pytest.approx([0.95, 0.975])


def test_checks_that_cannot_err_by_chance_take_no_share(make) -> None:
    facts = {"train_row_hashes": np.array([1], dtype=np.uint64)}
    evidence = hits_of(400, 360, facts=facts, row_id=np.arange(400))
    checks = {"a": floor(lower(0.05)), "b": floor(0.99, decide="point"), "c": LEAKAGE}
    result = ask(make, checks, evidence)
    assert [(part.verdict, part.level) for part in result.parts] == [
        (Verdict.PASS, 0.95),
        (Verdict.FAIL, 0.95),
        (Verdict.PASS, None),
    ]
    assert ask(make, {"a": floor(0.99), "b": floor(0.99)}, evidence).verdict == Verdict.FAIL
    assert ask(make, {"a": floor(0.99), "c": LEAKAGE}, evidence).verdict == Verdict.PASS


def test_a_skip_takes_no_share_and_decides_nothing(make) -> None:
    evidence = hits_of(400, 360)
    result = ask(make, {"gain": GAIN, "a": floor(lower(0.05))}, evidence)
    assert [part.verdict for part in result.parts] == [Verdict.SKIP, Verdict.PASS]
    assert result.parts[1].level == 0.95
    assert ask(make, {"gain": GAIN, "a": floor(0.99)}, evidence).verdict == Verdict.FAIL
    assert ask(make, {"gain": GAIN}, evidence).verdict == Verdict.SKIP


def test_a_fail_is_asked_of_every_check_at_the_full_level(make) -> None:
    upper = proportion_confint(360, 400, alpha=0.1, method="wilson")[1]
    for nudge, verdict in ((-1e-6, Verdict.INCONCLUSIVE), (1e-6, Verdict.FAIL)):
        result = ask(make, {"a": floor(upper + nudge), "b": floor(0.99)}, hits_of(400, 360))
        assert [part.verdict for part in result.parts] == [verdict, Verdict.FAIL]
        assert result.verdict == verdict


def test_an_error_is_never_hidden_by_a_pass(make) -> None:
    result = ask(make, {"a": floor(0.5), "b": floor(0.5, "rmse")}, hits_of(400, 360))
    assert [part.verdict for part in result.parts] == [Verdict.PASS, Verdict.ERROR]
    assert result.verdict == Verdict.ERROR
    assert "'b': " in result.message
    assert "rmse" in result.parts[1].message


def test_a_metric_that_is_no_number_is_an_error(make) -> None:
    evidence = make.evidence(task="regression", challenger=np.full(600, 1e200), label=np.full(600, -1.0))
    with np.errstate(all="ignore"):
        result = ask(make, {"a": floor(0.1, "rmse"), "b": floor(0.1, "mae")}, evidence)
    assert result.verdict == Verdict.ERROR


def test_no_proven_harm_does_not_pass_by_sharing(make) -> None:
    """A loss with t = 1.8 is proven at .95 and not at .975: what fails alone must not pass beside another."""
    noise = np.random.default_rng(0).normal(size=400)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    evidence = Evidence.from_arrays(
        label=np.zeros(400),
        champion=np.ones(400),
        challenger=1.1 + 0.1 * (1.8 / 20 + noise),
        task="regression",
        slices={"site": np.full(400, "all")},
    )
    harm = {
        "kind": "slices",
        "by": "site",
        "metric": "mae",
        "margin": -0.1,
        "require": "no_proven_harm",
        "min_rows": 2,
        "small_slice": "block",
    }
    never = {"kind": "threshold", "metric": "mae", "max": 0.01, "decide": "bound"}
    assert make.judge(harm, evidence).outcomes[0].verdict == Verdict.FAIL
    assert make.judge(harm, evidence, confidence=0.975).outcomes[0].verdict == Verdict.PASS
    assert ask(make, {"harm": harm, "never": never}, evidence).verdict == Verdict.FAIL


def test_a_gain_makes_the_whole_gate_a_scheduled_look(make) -> None:
    checks = {"gain": GAIN, "good": floor(0.5)}
    policy = make.policy({"gate": {"kind": "any_of", "checks": checks}}, schedule={"kind": "fixed", "looks": 10})
    first = judge(policy, make.evidence())
    assert first.verdict == "PROMOTE"
    assert (first.look.scheduled, first.look.number, first.look.of) == (True, 1, 10)
    assert [part.level for part in first.outcomes[0].parts] == pytest.approx([1 - 0.005 / 2] * 2)
    again = judge(policy, make.evidence(challenger=make.arrays()["challenger"] ** 1.01), first.state).outcomes[0]
    assert [part.verdict for part in again.parts] == [Verdict.INCONCLUSIVE] * 2
    assert all("this holdout is retired" in part.message for part in again.parts)
    assert again.verdict == Verdict.INCONCLUSIVE


def test_without_a_champion_it_is_no_look(make) -> None:
    checks = {"gain": GAIN, "good": floor(0.5)}
    policy = make.policy({"gate": {"kind": "any_of", "checks": checks}}, schedule={"kind": "fixed", "looks": 10})
    outcome = judge(policy, make.evidence(champion=None)).outcomes[0]
    assert [part.verdict for part in outcome.parts] == [Verdict.SKIP, Verdict.PASS]
    assert outcome.level == 0.95


def test_without_a_gain_no_look_is_taken(make) -> None:
    decision = make.judge(
        {"kind": "any_of", "checks": {"a": floor(0.5)}}, make.evidence(), schedule={"kind": "fixed", "looks": 10}
    )
    assert not decision.look.scheduled
    assert decision.outcomes[0].level == 0.95


def test_severity_description_and_owner_of_checks(make) -> None:
    inner = {**floor(0.99), "description": "the law asks", "owner": "risk"}
    policy = make.policy(
        {"floor": floor(0.5), "gate": {"kind": "any_of", "severity": "warn", "owner": "us", "checks": {"a": inner}}}
    )
    outcome = judge(policy, hits_of(400, 360)).outcomes[1]
    (part,) = outcome.parts
    assert (outcome.severity, outcome.owner, outcome.description) == ("warn", "us", "")
    assert (part.severity, part.owner, part.description) == ("warn", "risk", "the law asks")
    assert outcome.rule == "a: accuracy >= 0.99 (bound)"


@pytest.mark.parametrize(
    ("checks", "problem", "where"),
    [
        ({}, "got {}; expected at least 1 entry", ""),
        (3, "got 3; expected a mapping", ""),
        ({"a": 3}, "got 3; expected a mapping", ".a"),
        ({"a": {**LEAKAGE, "severity": "warn"}}, "a check of any_of has no severity of its own; ", ".a.severity"),
        ({"a": {"kind": "any_of", "checks": {}}}, "any_of in any_of; expected one of threshold, ", ".a.kind"),
        ({"a": {**floor(0.5), "min": "x"}}, "got 'x'; expected a finite number", ".a.min"),
        ({"a": floor(1.5)}, "no model has accuracy >= 1.5; expected a limit inside 0 … 1", ".a.min"),
        ({"a": {**floor(0.5), "mni": 1}}, "unknown key 'mni'; expected one of kind, ", ".a.mni"),
        ({"a": {"kind": "treshold"}}, "unknown kind 'treshold'; expected one of threshold, ", ".a.kind"),
        ({"a": {}}, "no kind is given; expected one of threshold, ", ".a.kind"),
        ({"A": LEAKAGE}, "'A' is no name for a gate; ", ".A"),
        ({"a": {"kind": "condition", "condition": "n > 2 +/- 1"}}, "'n > 2 +/- 1' is always false; ", ".a.condition"),
    ],
)
def test_mistakes_are_said_where_they_are(make, checks: object, problem: str, where: str) -> None:
    with pytest.raises(PolicyError) as caught:
        make.policy({"either": {"kind": "any_of", "checks": checks}})
    (line,) = caught.value.problems
    assert line.startswith(problem)
    assert line.partition(" @ ")[2].partition(" ")[0] == f"gate.checks.either.checks{where}"
    if where.endswith(".kind"):
        assert "any_of" not in line.partition("expected")[2]


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 5])
def test_no_false_pass_beyond_alpha(make, k: int) -> None:
    """k comparisons of equally good models, each on rows of its own: 1 − (1 − .05/k)^k pass, unshared 1 − .95^k."""
    rng, runs, each = np.random.default_rng(k), 1000, 80
    block = np.repeat(np.arange(k), each)
    small = np.char.add("small", (np.arange(k * each) // (each // 2)).astype(str))
    slices = {f"only{index}": np.where(block == index, "all", small) for index in range(k)}
    checks = {
        f"c{index}": {
            "kind": "slices",
            "by": f"only{index}",
            "metric": "mae",
            "margin": 0.0,
            "require": "non_inferior",
            "min_rows": each,
            "small_slice": "skip",
        }
        for index in range(k)
    }
    policy = make.policy({"gate": {"kind": "any_of", "checks": checks}})
    passed = np.zeros(2)
    for _ in range(runs):
        scores = 5 + rng.normal(size=(k * each, 2))
        evidence = Evidence.from_arrays(
            label=np.zeros(k * each), challenger=scores[:, 0], champion=scores[:, 1], slices=slices, task="regression"
        )
        outcome = judge(policy, evidence).outcomes[0]
        alone = any("passes alone" in part.message for part in outcome.parts)
        passed += outcome.verdict == Verdict.PASS, outcome.verdict == Verdict.PASS or alone
    for share, expected in zip(passed / runs, (1 - (1 - 0.05 / k) ** k, 1 - 0.95**k), strict=True):
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / runs))
