"""What a judgement makes of the waivers that it finds: used, or why not, each in one sentence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from lockgate import Policy, State, judge
from lockgate.gates.judge.waivers import find_unused_waivers
from lockgate.gates.records.state import Waiver
from tests.builders import BAD, GATES, GOOD, LABEL, NOON, make_evidence, run_of, sha_of

DAY = timedelta(days=1)
UNTIL = NOON + 2 * DAY
RUN = run_of("1")


def make_waiver(policy: Policy, gate: str) -> Waiver:
    """A waiver for model 1, by entry 3."""
    return Waiver(
        gate=gate,
        run=RUN,
        model=sha_of("1"),
        policy=policy.digest,
        reason="why",
        until=UNTIL,
        approver="ann",
        key="k",
        seq=3,
    )


def judge_waived(gate: str, *, scores: Any = BAD, now: datetime | None = NOON, **checks: Any) -> Any:
    """The decision on model 1, where a waiver for it was granted."""
    policy = Policy.parse(GATES | {"checks": {**GATES["checks"], **checks}})
    waiver = make_waiver(policy, gate)
    return judge(
        policy, make_evidence(scores, model="1", champion_scores=GOOD), State(seq=5, waivers=(waiver,)), now=now
    )


WARN = {"kind": "threshold", "metric": "auc", "min": 0.99, "decide": "point", "severity": "warn"}


@pytest.mark.parametrize(
    ("gate", "checks", "now", "status", "message"),
    [
        ("log_loss", {}, NOON, "used", "lifts its FAIL until 2024-05-03T12:00+00:00: why"),
        ("auc_floor", {}, NOON, "unused", "lifts nothing: the gate says PASS"),
        ("nowhere", {}, NOON, "unmatched", "the policy has no gate of this name"),
        ("careful", {"careful": WARN}, NOON, "unused", "lifts nothing: the gate says FAIL"),
        ("log_loss", {}, None, "unused", "is not applied: the time of the judgement is not known"),
        ("log_loss", {}, UNTIL + DAY, "expired", "ran out at 2024-05-03T12:00+00:00"),
        (
            "small",
            {"small": {**GATES["checks"]["auc_floor"], "metric": "auc", "decide": "bound", "min": 0.76}},
            NOON,
            "used",
            "lifts its INCONCLUSIVE",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_became_of_every_waiver_is_said(
    gate: str, checks: dict[str, Any], now: datetime | None, status: str, message: str
) -> None:
    (use,) = judge_waived(gate, now=now, **checks).waivers
    assert (use.status, use.entry, use.gate, use.key) == (status, 3, gate, "k")
    assert message in use.message


def test_what_could_not_be_judged_is_not_waived() -> None:
    broken = {
        "kind": "slices",
        "by": "nowhere",
        "metric": "log_loss",
        "margin": 0.0,
        "require": "non_inferior",
        "min_rows": 1,
        "small_slice": "skip",
    }
    decision = judge_waived("broken", broken=broken)
    assert (decision.verdict, decision.outcomes[2].verdict, decision.outcomes[2].waived) == ("ERROR", "ERROR", False)
    assert [use.status for use in decision.waivers] == ["unused"]
    assert judge_waived("log_loss", scores=np.where(LABEL == 1, np.nan, BAD)).verdict == "ERROR"


def test_where_everything_is_waived_nothing_was_shown() -> None:
    policy = Policy.parse(GATES | {"checks": {"gate": GATES["checks"]["log_loss"]}})
    waiver = make_waiver(policy, "gate")
    decision = judge(
        policy, make_evidence(BAD, model="1", champion_scores=GOOD), State(seq=5, waivers=(waiver,)), now=NOON
    )
    assert (decision.verdict, decision.reason) == (
        "ERROR",
        "every blocking gate was skipped or waived: nothing was shown",
    )


def test_waivers_that_do_nothing_are_found() -> None:
    def grant(seq: int, run: str, until: datetime) -> Waiver:
        return Waiver(gate="g", run=run, model="m", policy="p", reason="r", until=until, approver="a", key="k", seq=seq)

    waivers = (grant(1, "a", UNTIL), grant(2, "b", UNTIL), grant(3, "a", NOON - DAY), grant(4, "a", NOON))
    unused = [
        (waiver.seq, reason) for waiver, reason in find_unused_waivers(State(waivers=waivers), frozenset("a"), NOON)
    ]
    assert unused == [
        (2, "was never used: no judgement of b was recorded since"),
        (3, "ran out at 2024-04-30T12:00+00:00"),
    ]
