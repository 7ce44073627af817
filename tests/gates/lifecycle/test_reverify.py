"""The reigning champion judged again: what ends, ends for everybody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockgate import Policy
from lockgate.gates.durations import MAX_CLOCK_SKEW
from lockgate.gates.errors import AdmissionError
from lockgate.gates.lifecycle.admission import admit
from lockgate.gates.lifecycle.reverify import reverify
from tests.gates.candidates import BAD, BETTER, GATES, NOON, clock, committed, evidence, one_line, opened

STRICT = Policy.parse(GATES | {"checks": {"auc_floor": {**GATES["checks"]["auc_floor"], "min": 0.9}}})


def test_what_reverification_ends_no_clock_serves_any_more() -> None:
    """Neither where this machine's clock is ahead by what clocks may be, nor where the consumer's is behind by it."""
    log = opened()
    committed(log, evidence(BETTER, model="2"), policy=STRICT)
    held = evidence(BAD, model="2", rows="fresh")
    done = reverify(STRICT, held, log, actor="bob", clock=clock(60))
    assert done.decision.verdict == "HOLD"
    for off in (-2 * MAX_CLOCK_SKEW, -MAX_CLOCK_SKEW, timedelta(0), MAX_CLOCK_SKEW):
        now = NOON + timedelta(minutes=60) + off
        with pytest.raises(AdmissionError, match="expired at" if off >= -MAX_CLOCK_SKEW else "is dated") as caught:
            admit(log, now=now)
        one_line(caught)
