"""From arrays to a decision, against two sorts of the scores and against scikit-learn's points."""

from __future__ import annotations

import numpy as np
import yaml
from sklearn import metrics

from bench.timing import alternately, show
from gates import Evidence, Policy, hash_row_ids, judge

POLICY = """
if_no_champion: absolute_only
confidence: 0.95
clusters: if_present
min_clusters: 10
schedule: {kind: fixed, looks: 20}
disclose: all
valid_for: 90d
checks:
  auc_floor:  {kind: threshold, metric: auc, min: 0.60, decide: bound}
  log_loss:   {kind: improvement, metric: log_loss, margin: 0.001}
  auc_kept:   {kind: improvement, metric: auc, margin: -0.01}
  slices:     {kind: slices, by: slice, metric: log_loss, margin: -0.02, require: no_proven_harm, min_rows: 200, small_slice: skip}
  calibrated: {kind: calibration, measure: gap, max: 0.10, decide: point}
  leakage:    {kind: leakage}
"""  # noqa: E501


def measure() -> None:
    """A whole judgement at 30,000 and at 1,000,000 rows, with clusters and slices."""
    policy = Policy.parse(yaml.safe_load(POLICY))
    for n, slices in ((30_000, 16), (1_000_000, 200)):
        rng = np.random.default_rng(0)
        risk = rng.normal(size=n)
        label = (rng.random(n) < 1 / (1 + np.exp(1.3 - risk))).astype(np.float64)
        challenger, champion = (1 / (1 + np.exp(1.3 - risk - noise * rng.normal(size=n))) for noise in (0.2, 0.4))
        evidence = Evidence.from_arrays(
            label=label, challenger=challenger, champion=champion,
            row_id=np.arange(n), cluster=rng.integers(0, 31, n), slices={"slice": rng.integers(0, slices, n)},
            facts={"train_row_hashes": hash_row_ids(np.arange(n, 2 * n))},
        )  # fmt: skip
        codes = evidence.slices["slice"].codes

        def ours(evidence: Evidence = evidence) -> None:
            judge(policy, evidence)

        def floor(scores: tuple[np.ndarray, ...] = (challenger, champion)) -> None:
            for score in scores:
                np.argsort(score, kind="stable")

        def points(label=label, scores=(challenger, champion), codes=codes, slices=slices) -> None:  # noqa: ANN001
            for score in scores:
                metrics.roc_auc_score(label, score)
                metrics.log_loss(label, score)
                for code in range(slices):
                    metrics.log_loss(label[codes == code], score[codes == code])

        seconds = alternately(ours, floor, points, times=3)
        name = f"judge, {n:,} rows, {slices} slices"
        show(name, seconds[0], seconds[1], against="two stable sorts of its scores", goal="see docs/speed.md")
        show(name, seconds[0], seconds[2], against="scikit-learn's points, no intervals", goal="below 1")
