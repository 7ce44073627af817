"""Whether a holdout is large enough for the policy, which is asked before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lockgate.gates.errors import TooFewRowsError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.shortfall import find_shortfalls
from lockgate.pipelines.scoring.evidence import holdout_columns

if TYPE_CHECKING:
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.data import DataSettings, Freshness, Split


def check_size(splits: Sequence[Split], data: DataSettings, policy: Policy, *, compared: bool) -> None:
    """Raise TooFewRowsError if gates that block would be INCONCLUSIVE on these held-out rows, whatever models score.

    Args:
        compared: whether there is a champion to compare with.
    """
    rows = holdout_columns(splits)
    blank = np.zeros(len(rows["label"]))
    evidence = Evidence.from_arrays(**rows, challenger=blank, champion=blank if compared else None, task=data.task)
    shortfalls = find_shortfalls(policy, evidence, compared=compared)
    if not shortfalls:
        return
    reasons = "; ".join(shortfall.reason for shortfall in shortfalls)
    share = min(shortfall.share for shortfall in shortfalls)
    raise TooFewRowsError(
        f"the holdout of {evidence.n:,} rows is too small for the policy: {reasons}",
        where="data.holdout",
        hint=f"nothing was trained; {_advise(splits[-1].freshness, share)}",
    )


def _advise(freshness: Freshness | None, share: float) -> str:
    """What to do about it; for fresh rows, how many are there and, by the share of what is asked, how many it takes."""
    if freshness is None:
        return "hold out more rows, or ask for fewer in conf/gate"
    missing = f"about {math.ceil(freshness.rows * (1 / share - 1)):,} more are" if share else "many more are"
    return f"{freshness.rows:,} fresh rows are there, {missing} missing; evaluate again when the table has grown"
