"""The reigning champion judged again: what ends, ends for everybody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate import Policy
from lockgate.gates.durations import MAX_CLOCK_SKEW
from lockgate.gates.errors import AdmissionError
from lockgate.gates.lifecycle.admission import admit
from lockgate.gates.lifecycle.reverify import reverify
from tests.builders import BAD, BETTER, GATES, NOON, assert_one_line, clock_at, commit_evidence, make_evidence, new_log

STRICT = Policy.parse(GATES | {"checks": {"auc_floor": {**GATES["checks"]["auc_floor"], "min": 0.9}}})


def test_what_reverification_ends_no_clock_serves_any_more() -> None:
    """Neither where this machine's clock is ahead by what clocks may be, nor where the consumer's is behind by it."""
    log = new_log()
    commit_evidence(log, make_evidence(BETTER, model="2"), policy=STRICT)
    evidence = make_evidence(BAD, model="2", rows="fresh")
    completed = reverify(STRICT, evidence, log, actor="bob", clock=clock_at(60))
    assert completed.decision.verdict == "HOLD"
    for off in (-2 * MAX_CLOCK_SKEW, -MAX_CLOCK_SKEW, timedelta(0), MAX_CLOCK_SKEW):
        now = NOON + timedelta(minutes=60) + off
        with pytest.raises(AdmissionError, match="expired at" if off >= -MAX_CLOCK_SKEW else "is dated") as caught:
            admit(log, now=now)
        assert_one_line(caught)
