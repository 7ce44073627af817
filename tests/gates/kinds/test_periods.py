"""The kind `periods`: a gain in every period of the holdout, or in their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from lockgate import Evidence, Outcome, State, Verdict
from lockgate.gates.errors import PolicyError
from lockgate.gates.kinds import CLASSES
from lockgate.gates.kinds.periods import Periods
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import measure_difference
from lockgate.gates.metrics.rows import GroupedRows, Rows

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"require": "mean"},
    {"require": "mean", "margin": -0.02},
    {"require": "mean", "metric": "auc", "margin": -0.3},
    {"require": "mean", "min_periods": 4},
    {"min_periods": 4},
    {"margin": 0.1},
    {"margin": -0.02},
    {"metric": "accuracy"},
    {"metric": "accuracy", "require": "mean"},
]
EDGES = {"one label only": Verdict.INCONCLUSIVE}
CHECK: dict[str, Any] = {"kind": "periods", "metric": "mae", "margin": 0.0, "require": "every", "min_periods": 3}
MONTHS = ("2013-08", "2013-09", "2013-10")


def rows(gains: dict[str, float], *, n: int = 200, noise: float = 0.01, **options: Any) -> Evidence:
    """Regression rows in periods; in each the challenger's error is smaller by exactly the gain on average."""
    lots = np.random.default_rng(4)
    period = np.repeat(list(gains), n)
    extra = lots.normal(0, noise, (len(gains), n))
    extra -= extra.mean(axis=1, keepdims=True)
    error = 1 - np.repeat(list(gains.values()), n) + extra.ravel()
    arrays = {"label": np.zeros(period.size), "challenger": error, "champion": np.ones(period.size)}
    return Evidence.from_arrays(**{"period": period, "task": "regression", **arrays, **options})


def judge_periods(make: Any, evidence: Evidence, state: State | None = None, **keys: Any) -> Outcome:
    own = {
        name: keys.pop(name) for name in ("schedule", "clusters", "min_clusters", "serial_dependence") if name in keys
    }
    return make.judge({**CHECK, **keys}, evidence, state, **own).outcomes[0]


def test_it_is_listed_and_compares() -> None:
    assert Periods in CLASSES
    check = Periods.model_validate({**CHECK, "margin": 0.0})
    assert (check.is_scheduled, check.compared_metrics) == (True, ("mae",))
    assert not check.model_copy(update={"margin": -0.01}).is_scheduled


@pytest.mark.parametrize(
    ("gains", "verdict", "parts"),
    [
        ((0.1, 0.1, 0.1), "PASS", ("PASS", "PASS", "PASS")),
        ((0.1, 0.0, 0.1), "INCONCLUSIVE", ("PASS", "INCONCLUSIVE", "PASS")),
        ((0.1, -0.1, 0.1), "FAIL", ("PASS", "FAIL", "PASS")),
    ],
)
def test_every_period_has_to_show_the_gain(make, gains, verdict: str, parts) -> None:
    outcome = judge_periods(make, rows(dict(zip(MONTHS, gains, strict=True))))
    assert (outcome.verdict, tuple(part.verdict for part in outcome.parts)) == (verdict, parts)
    assert [part.name for part in outcome.parts] == list(MONTHS)
    assert [part.rows for part in outcome.parts] == [200] * 3
    assert outcome.observed == pytest.approx(-min(gains))
    assert f"worst '2013-0{9 if min(gains) < 0.1 else 8}'" in outcome.message


def test_a_period_alone_is_an_improvement_alone(make) -> None:
    """The parts are what the gate `improvement` says of the period's rows."""
    evidence = rows(dict(zip(MONTHS, (0.002, 0.001, -0.002), strict=True)))
    outcome = judge_periods(make, evidence)
    for number, part in enumerate(outcome.parts):
        chosen = slice(200 * number, 200 * number + 200)
        alone = Evidence.from_arrays(
            label=evidence.label[chosen],
            challenger=evidence.challenger[chosen],
            champion=evidence.champion[chosen],
            task="regression",
        )
        paired = make.judge({"kind": "improvement", "metric": "mae", "margin": 0.0}, alone).outcomes[0]
        assert (part.observed, part.low, part.high, part.p) == (paired.observed, paired.low, paired.high, paired.p)


@pytest.mark.parametrize("require", ["every", "mean"])
@pytest.mark.parametrize(("off", "verdict"), [(-1e-9, "PASS"), (0.0, "PASS"), (1e-9, "INCONCLUSIVE")])
def test_a_loss_whose_bound_is_exactly_the_margin_is_allowed(make, require: str, off: float, verdict: str) -> None:
    evidence = rows(dict.fromkeys(MONTHS, -0.05))
    allowed = judge_periods(make, evidence, require=require, margin=-1.0)
    bound = max(part.high for part in allowed.parts) if require == "every" else allowed.high
    assert judge_periods(make, evidence, require=require, margin=-bound + off).verdict == verdict


@pytest.mark.parametrize("require", ["every", "mean"])
@pytest.mark.parametrize("margin", [0.0, -0.01, 0.01])
def test_equal_models_never_gain(make, require: str, margin: float) -> None:
    same = rows(dict.fromkeys(MONTHS, 0.0), challenger=np.ones(600))
    expected = {0.0: "INCONCLUSIVE", -0.01: "PASS", 0.01: "FAIL"}[margin]
    assert judge_periods(make, same, require=require, margin=margin).verdict == expected


@pytest.mark.parametrize(("periods", "verdict"), [(2, "FAIL"), (3, "FAIL"), (4, "INCONCLUSIVE")])
def test_harm_in_some_period_is_corrected_for_how_many_there_are(make, periods: int, verdict: str) -> None:
    """Six rows lost and none won: p = 1/64 in one period, which is shown among three periods and not among four."""
    label = np.arange(50 * periods) % 2
    champion = label.astype(float)
    challenger = champion.copy()
    challenger[:6] = 1 - challenger[:6]
    period = np.repeat([f"p{number}" for number in range(periods)], 50)
    evidence = Evidence.from_arrays(label=label, challenger=challenger, champion=champion, period=period)
    outcome = judge_periods(make, evidence, metric="accuracy", min_periods=2)
    assert (outcome.verdict, outcome.parts[0].verdict) == (verdict, verdict)


def test_the_exact_test_decides_about_shares_of_rows(make) -> None:
    """Five rows won and none lost is p = 1/32, six is 1/64; the level is that of one of two looks, 1/40."""
    verdicts = []
    for won in (5, 6):
        label = np.arange(150) % 2
        challenger, champion = label.astype(float), label.astype(float)
        for start in (0, 50, 100):
            champion[start : start + won] = 1 - champion[start : start + won]
        evidence = Evidence.from_arrays(
            label=label, challenger=challenger, champion=champion, period=np.repeat(MONTHS, 50)
        )
        verdicts.append(
            judge_periods(make, evidence, metric="accuracy", schedule={"kind": "fixed", "looks": 2}).verdict
        )
    assert verdicts == ["INCONCLUSIVE", "PASS"]


def test_the_mean_counts_each_period_once(make) -> None:
    gains = {"2013-08": 0.3, "2013-09": 0.3, "2013-10": 0.3}
    evidence = rows(gains)
    many = Evidence.from_arrays(
        label=np.zeros(1200),
        challenger=np.r_[evidence.challenger, np.full(600, 1.0)],
        champion=np.ones(1200),
        period=[*np.repeat(list(gains), 200), *["2013-11"] * 600],
        task="regression",
    )
    outcome = judge_periods(make, many, require="mean")
    assert outcome.observed == pytest.approx(-0.3 * 3 / 4)
    assert "in the mean of 4 periods" in outcome.message


@pytest.mark.parametrize("level", [0.95, 0.975])
def test_the_mean_is_bounded_by_how_much_periods_differ(make, level: float) -> None:
    gains = np.array([0.1, 0.3, 0.2])
    schedule = {"kind": "fixed", "looks": round(0.05 / (1 - level))}
    outcome = judge_periods(make, rows(dict(zip(MONTHS, gains, strict=True))), require="mean", schedule=schedule)
    reach = stdtrit(2, level) * gains.std(ddof=1) / np.sqrt(3)
    assert (outcome.observed, outcome.level) == (pytest.approx(-0.2), pytest.approx(level))
    assert (outcome.low, outcome.high) == (pytest.approx(-0.2 - reach), pytest.approx(-0.2 + reach))
    assert outcome.verdict == ("PASS" if reach < 0.2 else "INCONCLUSIVE")


def test_where_periods_agree_the_rows_bound_the_mean(make) -> None:
    evidence = rows(dict.fromkeys(MONTHS, 0.1), noise=0.5)
    outcome = judge_periods(make, evidence, require="mean")
    ours, theirs = (np.abs(score - evidence.label) for score in (evidence.challenger, evidence.champion))
    errors = [(ours - theirs)[evidence.period.codes == code].std(ddof=1) / np.sqrt(200) for code in range(3)]
    assert (outcome.high - outcome.low) / 2 == pytest.approx(stdtrit(2, 0.95) * np.sqrt(np.mean(np.square(errors)) / 3))


def test_one_bad_month_hides_what_the_rows_together_show(make) -> None:
    """Two months gain and one loses: rows together show a gain, months do not."""
    evidence = rows(dict(zip(MONTHS, (0.06, 0.05, -0.04), strict=True)))
    pooled = make.judge({"kind": "improvement", "metric": "mae", "margin": 0.0}, evidence).outcomes[0]
    assert pooled.verdict == Verdict.PASS
    assert judge_periods(make, evidence).verdict == Verdict.FAIL
    assert judge_periods(make, evidence, require="mean").verdict == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("minimum", "verdict"), [(2, "PASS"), (3, "PASS"), (4, "INCONCLUSIVE")])
@pytest.mark.parametrize("require", ["every", "mean"])
def test_fewer_periods_than_asked_show_nothing(make, require: str, minimum: int, verdict: str) -> None:
    outcome = judge_periods(make, rows(dict.fromkeys(MONTHS, 0.1)), require=require, min_periods=minimum)
    assert outcome.verdict == verdict
    assert ("only 3 periods, at least 4 are asked" in outcome.message) == (minimum == 4)


@pytest.mark.parametrize("require", ["every", "mean"])
def test_a_single_period_shows_nothing(make, require: str) -> None:
    outcome = judge_periods(make, rows({"2013-10": 0.1}), require=require, min_periods=2)
    assert (outcome.verdict, outcome.observed) == (Verdict.INCONCLUSIVE, pytest.approx(-0.1))
    assert (outcome.low is None) == (require == "mean")


@pytest.mark.parametrize("require", ["every", "mean"])
def test_a_period_of_one_row(make, require: str) -> None:
    period = [*np.repeat(["2013-08", "2013-09"], 250), *["2013-09"] * 99, "2013-10"]
    outcome = judge_periods(make, rows(dict.fromkeys(MONTHS, 0.1), period=period), require=require)
    assert (outcome.verdict, outcome.parts[2].rows) == (Verdict.INCONCLUSIVE, 1)
    assert "no interval" in outcome.message
    assert ("too few rows or clusters" in outcome.message) == (require == "mean")


def test_a_period_without_weight_is_none(make) -> None:
    weight = np.repeat([1.0, 1.0, 0.0], 200)
    outcome = judge_periods(make, rows(dict.fromkeys(MONTHS, 0.1), weight=weight))
    assert (outcome.verdict, [part.name for part in outcome.parts]) == ("INCONCLUSIVE", ["2013-08", "2013-09"])


def test_few_clusters_in_a_period(make) -> None:
    """Each period needs its clusters where it is judged alone; the mean needs them in all periods together."""
    cluster = [*(np.arange(400) % 20), *(np.arange(200) % 9 + 100)]
    evidence = rows(dict.fromkeys(MONTHS, 0.1), cluster=cluster)
    every = judge_periods(make, evidence)
    assert (every.verdict, every.parts[2].verdict) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert "only 9 clusters, at least 10 are asked" in every.parts[2].message
    assert judge_periods(make, evidence, require="mean").verdict == Verdict.PASS
    assert judge_periods(make, evidence, require="mean", min_clusters=30).verdict == Verdict.INCONCLUSIVE


def test_clusters_that_periods_share_are_counted_once(make) -> None:
    """A customer's rows of three months: the mean is as uncertain as it is with one row for each customer."""
    lots = np.random.default_rng(2)
    of_customer = lots.normal(0.2, 1, 40)
    extra = np.tile(of_customer, 3) + np.repeat([0.001, 0.0, -0.001], 40)
    options = {"challenger": 5 - extra, "champion": np.full(120, 5.0), "label": np.zeros(120)}
    gains = dict.fromkeys(MONTHS, 0.0)
    shared = judge_periods(make, rows(gains, n=40, **options, cluster=np.tile(np.arange(40), 3)), require="mean")
    apart = judge_periods(make, rows(gains, n=40, **options, cluster=np.arange(120)), require="mean")
    one_row = of_customer.std(ddof=1) / np.sqrt(40)
    assert (shared.high - shared.low) / 2 / stdtrit(2, 0.95) == pytest.approx(one_row, rel=1e-4)
    assert (shared.high - shared.low) / (apart.high - apart.low) == pytest.approx(np.sqrt(3), rel=1e-4)


@pytest.mark.parametrize("rule", ["if_ordered", "ignore"])
def test_days_that_periods_share_count_with_what_neighbours_share(make, rule: str) -> None:
    """Every day has rows in each of three periods: their mean is as uncertain as that of all rows by day."""
    lots = np.random.default_rng(3)
    of_day = lots.normal(0.2, 1, 60)
    of_day[1:] += of_day[:-1]
    extra = np.tile(of_day, 3) + np.repeat([0.001, 0.0, -0.001], 60)
    days = np.datetime_as_string(np.datetime64("2013-08-01") + np.tile(np.arange(60), 3)).tolist()
    scores = {"challenger": 5 - extra, "champion": np.full(180, 5.0), "label": np.zeros(180)}
    evidence = rows(dict.fromkeys(MONTHS, 0.0), n=60, **scores, cluster=days, time=days)
    mean = judge_periods(make, evidence, require="mean", serial_dependence=rule)
    by_day = Rows(**scores, cluster=np.tile(np.arange(60), 3), ordered=rule == "if_ordered")
    _, uncertainty = measure_difference(find_metric("mae", "regression"), GroupedRows(rows=by_day))
    error = (mean.high - mean.low) / 2 / stdtrit(2, mean.level)
    assert error == pytest.approx(uncertainty.error[0], rel=1e-3)


def test_a_quantile_in_the_mean(make) -> None:
    lots = np.random.default_rng(5)
    label = lots.normal(0, 1, 600)
    options = {"label": label, "challenger": label + lots.normal(0, 0.1, 600), "champion": label + 0.5}
    gains = dict.fromkeys(MONTHS, 0.0)
    keys = {"require": "mean", "metric": "absolute_error@0.9", "margin": 0.0}
    apart = judge_periods(make, rows(gains, **options, cluster=np.arange(600)), **keys)
    shared = judge_periods(make, rows(gains, **options, cluster=np.tile(np.arange(200), 3)), **keys)
    assert apart.verdict == Verdict.PASS
    assert shared.observed == apart.observed == pytest.approx(np.mean([part.observed for part in apart.parts]))
    assert shared.high - shared.low > 1.2 * (apart.high - apart.low)


def test_an_undefined_metric_in_a_period_is_an_error(make) -> None:
    arrays = make.arrays()
    period = np.repeat(MONTHS, 200)
    label = np.where(period == "2013-09", 0.0, arrays["label"])
    for require in ("every", "mean"):
        check = {**CHECK, "metric": "auc", "margin": -0.5, "require": require}
        outcome = make.judge(check, make.evidence(label=label, period=period)).outcomes[0]
        assert [part.verdict for part in outcome.parts] == ["PASS", "ERROR", "PASS"]
        assert outcome.verdict == Verdict.ERROR
        assert "2013-09: auc is undefined on these rows" in outcome.message


def test_without_the_column_it_is_an_error_with_a_hint(make) -> None:
    outcome = make.judge(CHECK, rows(dict.fromkeys(MONTHS, 0.1), period=None)).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    assert "does not say which period a row belongs to; expected a column `period`" in outcome.message
    assert "holdout: {kind: rolling, periods: 3} in conf/data" in outcome.message


def test_without_a_champion_it_is_skipped(make) -> None:
    outcome = make.judge(CHECK, rows(dict.fromkeys(MONTHS, 0.1), champion=None)).outcomes[0]
    assert outcome.verdict == Verdict.SKIP


@pytest.mark.parametrize("require", ["every", "mean"])
def test_a_spent_holdout_shows_no_gain(make, require: str) -> None:
    evidence = rows(dict.fromkeys(MONTHS, 0.1))
    policy = make.policy({"gate": {**CHECK, "require": require}}, schedule={"kind": "single"})
    from lockgate import judge

    first = judge(policy, rows(dict.fromkeys(MONTHS, 0.0)), State(salt="s"))
    assert first.look.number == 1
    again = judge(policy, evidence, first.state).outcomes[0]
    assert again.verdict == Verdict.INCONCLUSIVE
    assert "the 1 looks declared for this holdout are spent" in again.message


def test_other_periods_are_another_look(make) -> None:
    from lockgate import judge

    policy = make.policy({"gate": CHECK}, schedule={"kind": "fixed", "looks": 5})
    evidence = rows(dict.fromkeys(MONTHS, 0.0))
    moved = rows(dict.fromkeys(MONTHS, 0.0), period=np.roll(np.repeat(MONTHS, 200), 1))
    first = judge(policy, evidence, State(salt="s"))
    assert judge(policy, evidence, first.state).look.repeated
    assert judge(policy, moved, first.state).look.number == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"min_periods": 1}, "min_periods"),
        ({"require": "some"}, "require"),
        ({"margin": 3.0, "metric": "accuracy"}, "no model gains 3 accuracy"),
    ],
)
def test_a_mistake_is_a_line_with_its_place(make, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        make.policy({"gate": {**CHECK, **change}})
