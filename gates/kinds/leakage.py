from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

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
    on the other, which never match. Needs no champion.
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
        held_out = np.sort(case.evidence.row_hashes)  # sorted, so that the search walks through memory in order
        positions = np.minimum(np.searchsorted(trained, held_out), trained.size - 1)
        leaked = int(np.count_nonzero(trained[positions] == held_out))
        return self.outcome(
            name,
            Verdict.FAIL if leaked else Verdict.PASS,
            f"{leaked:,} of {case.rows.n:,} holdout rows are among {trained.size:,} training rows; asked: none",
            case,
            observed=leaked,
        )
