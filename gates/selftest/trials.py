"""Everything that is tried, judged as it would be: by `judge`, with a fresh ledger and a champion."""

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
from lockgate.gates.metrics.rows import Rows, Split
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.outcome import Ruling, Verdict
from lockgate.gates.selftest import findings, plants
from lockgate.gates.selftest.draws import Draws
from lockgate.gates.selftest.reach import of_rows
from lockgate.gates.selftest.record import Gate, Selftest, Trials

GAIN_METRIC = {"binary": "log_loss", "multiclass": "log_loss", "regression": "mae", "ranking": "ndcg@10"}
"""What gains are counted in where no gate compares."""

THREADS = 2
PLANTED_SHARE = 4
"""A size of a plant gets one of so many trials that the equal models get, and `LEAST_TRIALS` at least."""

LEAST_TRIALS = 20

Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One judgement, in short."""

    ruling: Ruling
    gain: float
    outcomes: Mapping[str, tuple[Verdict, float | None]]
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """Trials of one thing: `make(number)` gives the evidence of one of them."""

    kind: str
    said: str
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
        evidence: a holdout with the scores of two models; nothing is supposed of which one is better.
        trials: of equal models; each size of a plant gets a quarter, and 20 at least.
        seeds: evidence of equal models, judged as it is: such as models that differ in their seed.
        seed: of every lot that is drawn; the same arguments give the same answer.
        now: for gates that ask for the time.
        tick: told how many judgements are done, and of how many.

    Raises:
        EvidenceError: no champion, no rows, or rows that no gate could judge.
        PolicyError: no gate is left that blocks.
    """
    policy, once, left_out = of_rows(policy, evidence, now)
    if broken := find_defects(evidence, clusters_required=policy.clusters == "required"):
        raise EvidenceError("; ".join(broken))
    draws, counted = Draws.of(evidence), _counted(policy, evidence)
    jobs = _jobs(policy, draws, trials=trials, seeds=seeds, seed=seed)
    found, seen = _tried(policy, jobs, counted, now=now, tick=tick)
    by_kind = {
        kind: tuple(one for one in found if one.kind == kind) for kind in dict.fromkeys(one.kind for one in found)
    }
    hidden = {planted.kind for planted in plants.hidden(policy, evidence)}
    return findings.concluded(
        policy,
        Selftest(
            rows=evidence.n,
            clusters=draws.sizes.size if draws.names else None,
            metric=counted.name,
            promised=_promised(policy),
            equal=by_kind["equal"][0],
            seeds=by_kind["seeds"][0] if seeds else None,
            gains=by_kind["gain"],
            regressions=tuple(one for one in found if one.kind in ("shuffled", "constant")),
            hidden=tuple(one for one in found if one.kind in hidden),
            gates=_gates(policy, seen),
            once=once,
            left_out=left_out,
            summary="",
            problems=(),
            warnings=(),
        ),
    )


def _counted(policy: Policy, evidence: Evidence) -> Metric:
    """The metric that gains are counted in: of the first gate that asks for one, else of the first that compares."""
    comparing = sorted(
        (check for check in policy.checks.values() if check.compared_metrics),
        key=lambda check: (not asks_for_gain(check), check.severity != "block"),
    )
    name = comparing[0].compared_metrics[0] if comparing else GAIN_METRIC[evidence.task]
    return find_metric(name, evidence.task)


def _promised(policy: Policy) -> float | None:
    """The error rate of one look, where some blocking gate asks for a gain."""
    asking = any(check.severity == "block" and asks_for_gain(check) for check in policy.checks.values())
    return policy.scheduled_alpha if asking else None


def _jobs(policy: Policy, draws: Draws, *, trials: int, seeds: Sequence[Evidence], seed: int) -> list[_Job]:
    def planted(number: int, one: plants.Planted) -> _Job:
        def make(trial: int) -> Evidence:
            lots = np.random.default_rng((seed, number, trial))
            return one.plant(draws.equal(lots), lots)

        few = max(LEAST_TRIALS, trials // PLANTED_SHARE)
        return _Job(kind=one.kind, said=one.said, size=one.size, n=few, make=make)

    equal = _Job(
        kind="equal",
        said="scores swapped",
        size=0.0,
        n=trials,
        make=lambda trial: draws.equal(np.random.default_rng((seed, 0, trial))),
    )
    pairs = _Job(kind="seeds", said="another seed", size=0.0, n=len(seeds), make=lambda trial: seeds[trial])
    everything = [
        *plants.gains(),
        *plants.regressions(),
        *plants.hidden(policy, draws.evidence),
    ]
    return [*([pairs] if seeds else []), equal, *(planted(at, one) for at, one in enumerate(everything, start=1))]


def _tried(
    policy: Policy, jobs: Sequence[_Job], counted: Metric, *, now: datetime | None, tick: Tick | None
) -> tuple[list[Trials], list[_Seen]]:
    total = sum(job.n for job in jobs)
    found: list[Trials] = []
    every: list[_Seen] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for job in jobs:
            seen = []
            for one in threads.map(lambda trial, job=job: _judged(policy, job.make(trial), counted, now), range(job.n)):
                seen.append(one)
                if tick:
                    tick(len(every) + len(seen), total)
            every += seen
            found.append(_counts(job, seen))
    return found, every


def _judged(policy: Policy, evidence: Evidence, counted: Metric, now: datetime | None) -> _Seen:
    decision = judge(policy, evidence, now=now)
    rows = Rows(
        label=evidence.label,
        challenger=evidence.challenger,
        champion=evidence.champion,
        weight=evidence.weight,
        query=None if evidence.query is None else evidence.query.codes,
    )
    paired = Split(rows=rows).paired_difference(counted) if decision.verdict is not Ruling.ERROR else None
    return _Seen(
        ruling=decision.verdict,
        gain=float("nan") if paired is None else counted.gain(float(paired.value[0])),
        outcomes={one.name: (one.verdict, one.observed) for one in decision.outcomes},
        errors={one.name: one.message for one in decision.outcomes if one.verdict is Verdict.ERROR},
    )


def _counts(job: _Job, seen: Sequence[_Seen]) -> Trials:
    gains = np.array([one.gain for one in seen])
    gains = gains[np.isfinite(gains)]
    verdicts: dict[str, Counter[str]] = {name: Counter() for name in seen[0].outcomes}
    for one in seen:
        for name, (verdict, _) in one.outcomes.items():
            verdicts[name][str(verdict)] += 1
    return Trials(
        kind=job.kind,
        planted=job.said,
        size=job.size,
        gain=float(gains.mean()) if gains.size else None,
        largest=float(np.abs(gains).max()) if gains.size else None,
        rulings=dict(Counter(str(one.ruling) for one in seen)),
        gates={name: dict(counted) for name, counted in verdicts.items()},
    )


def _gates(policy: Policy, seen: Sequence[_Seen]) -> tuple[Gate, ...]:
    found = []
    for name, check in policy.checks.items():
        said = [one.outcomes[name] for one in seen]
        found.append(
            Gate(
                name=name,
                severity=check.severity,
                asks_for_gain=asks_for_gain(check),
                verdicts=dict(Counter(str(verdict) for verdict, _ in said)),
                moved=len(set(said)) > 1,
                problem=next((one.errors[name] for one in seen if name in one.errors), ""),
            )
        )
    return tuple(found)
