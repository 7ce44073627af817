"""The first policy of a project: sound for its task, with what each line means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Task = Literal["binary", "regression", "score"]

_HEAD = """\
# When a challenger may replace the champion. Whoever may change this file decides what is promoted.
# `lockgate explain` says what there is, of kinds of gates, their keys and metrics.
if_no_champion: absolute_only        # the first model has nobody to beat, and needs the other gates alone
confidence: 0.95                     # of every bound, one-sided, unless the schedule asks for more
clusters: if_present                 # rows of one cluster (a customer, a day, a document) count as dependent
min_clusters: {min_clusters:<22} # fewer show nothing
min_class_rows: 20                   # nor do fewer rows of the rarer class
serial_dependence: if_ordered        # clusters that follow each other in time may resemble their neighbours
schedule: {{kind: fixed, looks: 5}}    # challengers that may be compared on one holdout before new rows are due
disclose: all
valid_for: 90d                       # how long a champion may serve without being judged again
checks:
"""

_CHECKS: Mapping[Task, str] = {
    "binary": """\
  auc_floor: {kind: threshold, metric: auc, min: 0.70, decide: bound}  # yours to set: the worst that you would serve
  log_loss:  {kind: improvement, metric: log_loss, margin: 0.001}      # a gain of at least .001, shown by the bound
""",
    "regression": """\
  r2_floor:  {kind: threshold, metric: r2, min: 0.20, decide: bound}   # yours to set: the worst that you would serve
  rmse:      {kind: improvement, metric: rmse, margin: 0}              # any gain that is shown; in the target's unit
""",
    "score": """\
  floor:     {kind: threshold, metric: mean_score@1, min: 0.50, decide: bound}  # scores from 0 to 1; yours to set
  better:    {kind: improvement, metric: mean_score, margin: 0}        # any gain that is shown
  # reliable: {kind: improvement, metric: pass_hat@3, margin: -0.02}   # of three tries of a sample all pass
""",
}

_LEAKAGE = (
    "  leakage:   {kind: leakage}                                           # no row of the holdout was trained on\n"
)
_ENOUGH = "  enough:    {kind: data, min_rows: 200}                               # yours to set, too\n"


def write_policy(task: Task, *, trains: bool) -> str:
    """The policy's text.

    Args:
        trains: whether the flow that is judged trains, and so can say which rows it has seen.
    """
    head = _HEAD.format(min_clusters=30 if task == "score" else 15)
    return head + _CHECKS[task] + (_LEAKAGE if trains and task != "score" else "") + _ENOUGH
