"""The trials: what is planted is judged by `judge`, each time beside a champion and with an empty log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.defects import find_defects
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.engine import judge
from lockgate.gates.judge.looks import asks_for_gain
from lockgate.gates.metrics import Metric, find_metric
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.outcome import Ruling, Verdict
from lockgate.gates.selftest import findings, plants
from lockgate.gates.selftest.as_is import find_undrawn_gates, try_as_they_are
from lockgate.gates.selftest.draws import Draws
from lockgate.gates.selftest.reach import select_tried_gates
from lockgate.gates.selftest.record import Gate, Selftest, Trials

GAIN_METRIC = {
    "binary": "log_loss",
    "multiclass": "log_loss",
    "regression": "mae",
    "ranking": "ndcg@10",
    "score": "mean_score",
}
"""The metric in which gains are counted where no gate compares, by task."""

THREADS = 2
EQUAL_TRIALS_PER_PLANTED = 4
"""Each size of a plant gets one trial for so many of the equal models, but at least `MIN_TRIALS`."""

MIN_TRIALS = 20

Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    """What a selftest keeps of one decision."""

    ruling: Ruling
    gain: float  # of the challenger, positive is better; NaN where undefined
    outcomes: Mapping[str, tuple[Verdict, float | None]]  # gate → verdict and observed value
    errors: Mapping[str, str]  # gate → message, of gates that are an ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A series of trials of one thing: `make(trial)` gives the evidence of each."""

    kind: str
    description: str
    size: float
    n: int
    make: Callable[[int], Evidence]


def selftest(
    policy: Policy,
    evidence: Evidence,
    *,
    trials: int,
    seeds: Sequence[Evidence] = (),
    seed: int = 0,
    now: datetime | None = None,
    tick: Tick | None = None,
) -> Selftest:
    """What the policy says of equal models, planted gains and planted regressions on holdouts like this one.

    Args:
        policy: the gates to try. Those that read facts are judged once; those that judge the run are left out.
        evidence: a holdout with the scores of two models; it does not matter which one is better.
        trials: how many of equal models; each size of a plant gets a quarter of that, but at least 20.
        seeds: evidence of equal models, such as models that differ in their seed, which is judged as it is.
        seed: of all random numbers; the same arguments give the same result.
        now: the time of the judgement, for gates that need it.
        tick: called after each judgement with how many are done, and with the total.

    Raises:
        EvidenceError: no champion, no rows, or rows that no gate could judge.
        PolicyError: no blocking gate is left.
    """
    policy, once, left_out = select_tried_gates(policy, evidence, now)
    if broken := find_defects(evidence, clusters_required=policy.clusters == "required"):
        raise EvidenceError("; ".join(broken))
    draws, metric = Draws.from_evidence(evidence), _choose_metric(policy, evidence)
    jobs = _jobs(policy, draws, trials=trials, seeds=seeds, seed=seed)
    results, judgements = _run_trials(policy, jobs, metric, now=now, tick=tick)
    drawn, signs = try_as_they_are(policy, evidence, seeds=seeds, seed=seed)
    hidden = {planting.kind for planting in plants.plant_hidden_regressions(policy, evidence)}

    def of_kinds(*kinds: str) -> tuple[Trials, ...]:
        return tuple(result for result in results if result.kind in kinds)

    return findings.conclude(
        policy,
        Selftest(
            rows=evidence.n,
            clusters=draws.sizes.size if draws.names else None,
            metric=metric.name,
            promised=_promised_error_rate(policy),
            equal=of_kinds("equal")[0],
            drawn=drawn,
            signs=signs,
            seeds=of_kinds("seeds")[0] if seeds else None,
            gains=of_kinds("gain"),
            regressions=of_kinds("shuffled", "constant"),
            hidden=of_kinds(*hidden),
            gates=_gates(policy, judgements),
            once=once,
            left_out=left_out,
            undrawn=find_undrawn_gates(policy),
            summary="",
            problems=(),
            warnings=(),
        ),
    )


def _choose_metric(policy: Policy, evidence: Evidence) -> Metric:
    """The metric in which gains are counted: of the first gate that asks for one, else of the first that compares."""
    comparing = sorted(
        (check for check in policy.checks.values() if check.compared_metrics),
        key=lambda check: (not asks_for_gain(check), check.severity != "block"),
    )
    name = comparing[0].compared_metrics[0] if comparing else GAIN_METRIC[evidence.task]
    return find_metric(name, evidence.task)


def _promised_error_rate(policy: Policy) -> float | None:
    """The error rate of one look; None where no blocking gate asks for a gain."""
    asking = any(check.severity == "block" and asks_for_gain(check) for check in policy.checks.values())
    return policy.scheduled_alpha if asking else None


def _jobs(policy: Policy, draws: Draws, *, trials: int, seeds: Sequence[Evidence], seed: int) -> list[_Job]:
    def make_job(number: int, planting: plants.Planting) -> _Job:
        def make(trial: int) -> Evidence:
            rng = np.random.default_rng((seed, number, trial))
            return planting.plant(draws.equal(rng), rng)

        few = max(MIN_TRIALS, trials // EQUAL_TRIALS_PER_PLANTED)
        return _Job(kind=planting.kind, description=planting.description, size=planting.size, n=few, make=make)

    equal = _Job(
        kind="equal",
        description="scores swapped",
        size=0.0,
        n=trials,
        make=lambda trial: draws.equal(np.random.default_rng((seed, 0, trial))),
    )
    pairs = _Job(kind="seeds", description="another seed", size=0.0, n=len(seeds), make=lambda trial: seeds[trial])
    everything = [
        *plants.plant_gains(draws.evidence),
        *plants.plant_regressions(draws.evidence),
        *plants.plant_hidden_regressions(policy, draws.evidence),
    ]
    return [
        *([pairs] if seeds else []),
        equal,
        *(make_job(number, planting) for number, planting in enumerate(everything, start=1)),
    ]


def _run_trials(
    policy: Policy, jobs: Sequence[_Job], metric: Metric, *, now: datetime | None, tick: Tick | None
) -> tuple[list[Trials], list[_Judgement]]:
    """Counts of each job, and all judgements."""
    total = sum(job.n for job in jobs)
    results: list[Trials] = []
    every: list[_Judgement] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for job in jobs:
            judgements = []
            for judgement in threads.map(
                lambda trial, job=job: _judge_trial(policy, job.make(trial), metric, now), range(job.n)
            ):
                judgements.append(judgement)
                if tick:
                    tick(len(every) + len(judgements), total)
            every += judgements
            results.append(_count_verdicts(job, judgements))
    return results, every


def _judge_trial(policy: Policy, evidence: Evidence, metric: Metric, now: datetime | None) -> _Judgement:
    decision = judge(policy, evidence, now=now)
    rows = Rows(
        label=evidence.label,
        challenger=evidence.challenger,
        champion=evidence.champion,
        weight=evidence.weight,
        query=None if evidence.query is None else evidence.query.codes,
    )
    paired = GroupedRows(rows=rows).paired_difference(metric) if decision.verdict is not Ruling.ERROR else None
    return _Judgement(
        ruling=decision.verdict,
        gain=float("nan") if paired is None else metric.gain(float(paired.value[0])),
        outcomes={outcome.name: (outcome.verdict, outcome.observed) for outcome in decision.outcomes},
        errors={outcome.name: outcome.message for outcome in decision.outcomes if outcome.verdict is Verdict.ERROR},
    )


def _count_verdicts(job: _Job, judgements: Sequence[_Judgement]) -> Trials:
    gains = np.array([judgement.gain for judgement in judgements])
    gains = gains[np.isfinite(gains)]
    verdicts: dict[str, Counter[str]] = {name: Counter() for name in judgements[0].outcomes}
    for judgement in judgements:
        for name, (verdict, _) in judgement.outcomes.items():
            verdicts[name][str(verdict)] += 1
    return Trials(
        kind=job.kind,
        planted=job.description,
        size=job.size,
        gain=float(gains.mean()) if gains.size else None,
        largest=float(np.abs(gains).max()) if gains.size else None,
        rulings=dict(Counter(str(judgement.ruling) for judgement in judgements)),
        gates={name: dict(counts) for name, counts in verdicts.items()},
    )


def _gates(policy: Policy, judgements: Sequence[_Judgement]) -> tuple[Gate, ...]:
    gates = []
    for name, check in policy.checks.items():
        results = [judgement.outcomes[name] for judgement in judgements]
        gates.append(
            Gate(
                name=name,
                severity=check.severity,
                asks_for_gain=asks_for_gain(check),
                verdicts=dict(Counter(str(verdict) for verdict, _ in results)),
                moved=len(set(results)) > 1,
                problem=next((judgement.errors[name] for judgement in judgements if name in judgement.errors), ""),
            )
        )
    return tuple(gates)
