"""Which rows earlier runs had, so that a holdout of fresh rows does without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.gates import runs
from lockgate.gates.errors import EvidenceError, LockgateError
from lockgate.gates.judge.looks import list_spent_entries
from lockgate.pipelines.data.fresh import UsedRows, read_largest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lockgate.gates.log import Log
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.state import Champion
    from lockgate.pipelines.data import DataSettings


def find_used_rows(log: Log, data: DataSettings, policy: Policy) -> UsedRows | None:
    """The rows that are fresh no longer; None without a champion, and where fresh rows are not what is held out.

    These are the rows of the champion's run, and of each run after it that looked at a holdout on which no gain can be
    shown any more. A champion that was promoted without a comparison leaves its own holdout: nobody looked at it yet.

    Raises:
        EvidenceError: such a run is gone, so that nobody knows which rows it had.
    """
    state = log.state()
    champion = state.champion
    if champion is None or data.holdout.kind != "fresh":
        return None
    compared = log.entry(champion.seq).read_decision().binding.champion_scores is not None
    rows = [_read_rows(str(champion.run), data, learned_only=not compared)]
    judged = (
        log.entry(seq).read_decision().binding.run for seq in list_spent_entries(policy, state, after=champion.seq)
    )
    rows += [_read_rows(run, data) for run in dict.fromkeys(judged) if run is not None]
    return UsedRows(
        hashes=np.unique(np.concatenate([used.hashes for used in rows])),
        largest=tuple(dict.fromkeys(largest for used in rows for largest in used.largest)),
    )


def find_rows_of_champion(champion: Champion, data: DataSettings) -> UsedRows | None:
    """All rows of the champion's run; None where fresh rows are not what is held out. Raises as `find_used_rows`."""
    return _read_rows(str(champion.run), data) if data.holdout.kind == "fresh" else None


def _read_rows(run: str, data: DataSettings, *, learned_only: bool = False) -> UsedRows:
    """The rows that a run had, by what it recorded of the declared column, else by their ids."""
    try:
        evidence = runs.load_claim(run).evidence
    except LockgateError as err:
        raise EvidenceError(
            f"which rows are fresh is unknown, as the rows of {run} cannot be read: {err.problem}",
            where="data.holdout",
            hint="restore the run, or hold out rows of another kind",
        ) from err
    learned = evidence.all_train_hashes
    trained: NDArray[np.uint64] = np.empty(0, np.uint64) if learned is None else np.asarray(learned)
    if learned_only:
        return UsedRows(hashes=trained)
    largest = read_largest(evidence.facts.get("fresh"), data)
    if largest is not None:
        return UsedRows(hashes=np.empty(0, np.uint64), largest=(largest,))
    return UsedRows(hashes=np.concatenate([trained, np.asarray(evidence.row_hashes)]))
