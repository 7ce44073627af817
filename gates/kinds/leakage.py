from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.row_ids import explain_other_ids
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.records.outcome import Outcome, Verdict


class Leakage(Check):
    """No row of the holdout was trained on.

        leakage: {kind: leakage}

    Compares the holdout's row ids with the 8-byte hashes of the training rows that the run recorded. FAIL says how
    many match; a run that recorded no training rows is an ERROR, and so are ids that are integers on one side and texts
    on the other, or `17` and `17.0`, which never match. Needs no champion.

    With rolling origins a model may learn from earlier periods: a row is compared with what the model of its own
    period was trained on, and with what the models of the periods before were.
    """

    reads: ClassVar[Reads] = Reads.ROW_IDS
    unplanned: ClassVar[str] = "it compares row ids: nothing is estimated"
    example: ClassVar[Mapping[str, Any]] = {"kind": "leakage"}

    kind: Literal["leakage"]

    @property
    def rule(self) -> str:
        return "no holdout row was trained on"

    def judge(self, name: str, case: Case) -> Outcome:
        trained = case.evidence.train_row_hashes
        if trained is None or trained.size == 0:
            raise UnjudgeableError(
                "the evidence does not say which rows were trained on", expected="`train_row_hashes` in its facts"
            )
        if problem := explain_other_ids(case.evidence.row_id, trained):
            raise UnjudgeableError(problem, expected="ids of one type", hint="convert one of them, and evaluate again")
        hashes, period, later = case.evidence.row_hashes, case.evidence.period, case.evidence.later_train_hashes
        leaked, recorded = _count_shared(hashes, trained), trained.size
        if period is not None:
            for name_of_period, new in later.items():
                since = period.codes >= period.values.index(name_of_period)
                leaked, recorded = leaked + _count_shared(hashes[since], new), recorded + new.size
        words = f"{recorded:,} training rows"
        if later:
            words = f"the {words} of their period's model, or of an earlier period's"
        return self.outcome(
            name,
            Verdict.FAIL if leaked else Verdict.PASS,
            f"{leaked:,} of {case.rows.n:,} holdout rows are among {words}; asked: none",
            case,
            observed=leaked,
        )


def _count_shared(hashes: NDArray[np.uint64], trained: NDArray[np.uint64]) -> int:
    """How many hashes (n,) are among those of training rows (k,), which are sorted and at least one."""
    ascending = np.sort(hashes)  # so that the search walks through memory in order
    positions = np.minimum(np.searchsorted(trained, ascending), trained.size - 1)
    return int(np.count_nonzero(trained[positions] == ascending))
