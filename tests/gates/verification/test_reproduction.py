"""A decision judged again by the engine that made it, byte for byte, and by another one, by what may not change."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from obstore.store import MemoryStore

from lockgate import Decision, Evidence, Policy, Ruling, Verdict, judge
from lockgate.gates.judge.engine import ENGINE
from lockgate.gates.lifecycle.commit import apply_disclosure
from lockgate.gates.log import Log, policies
from lockgate.gates.log.events import JudgedEvent
from lockgate.gates.verification import export
from lockgate.gates.verification.reproduction import Reproduction, describe_reproduction, reproduce
from tests.builders import GOOD, POLICY, SEALING_POLICY, draw_scores, make_evidence

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
OTHER = "0.0.9"
FIRST = make_evidence(GOOD, model="0")
WORSE = make_evidence(draw_scores(0.0), model="0")


def by_other_engine(decision: Decision, **outcome: Any) -> Decision:
    """The decision as an engine made it whose first gate finds other numbers, and says so in other words."""
    first = decision.outcomes[0].model_copy(update={"message": "in other words", "low": 0.1, **outcome})
    binding = decision.binding.model_copy(update={"engine": OTHER})
    return decision.model_copy(update={"binding": binding, "outcomes": (first, *decision.outcomes[1:])})


def record(decision: Decision, policy: Policy) -> Log:
    """A log whose first entry records the decision."""
    log = Log(MemoryStore(), project="orders")
    disclosed = apply_disclosure(policy, decision)
    event = JudgedEvent(
        decision=disclosed.model_dump(mode="json", exclude={"state"}),
        decision_sha256=disclosed.sha256,
        policy_sha256=policies.store_policy(log.store, policy),
        valid_for=policy.valid_for,
    )
    log.append(event, decision.state, after=None, actor="ada", now=NOON)
    return log


def judge_again(log: Log, evidence: Evidence) -> tuple[Reproduction, str]:
    """The reproduction of the export of the first entry, and what it shows, in words."""
    entry = log.entry(1)
    policy_file = policies.load_policy_bytes(log.store, entry.event.policy_sha256)
    files = export.export_entry(entry, None, evidence, policy_file)
    reproduction = reproduce(
        Evidence.from_bytes(files["evidence.arrow"]),
        policies.parse_policy(files["policy.json"], where="policy.json"),
        export.Context.from_bytes(files["context.json"], where="context.json"),
        decision=files["decision.json"],
        policy_file=files["policy.json"],
    )
    return reproduction, describe_reproduction(entry, reproduction)


DECISION = judge(POLICY, FIRST, now=NOON)


def test_the_same_engine_gives_the_same_bytes() -> None:
    reproduction, line = judge_again(record(DECISION, POLICY), FIRST)
    assert (reproduction.same_engine, reproduction.differences, reproduction.remarks) == (True, (), ())
    assert line.startswith("reproduced: entry 1 of log ")


def test_other_words_of_the_same_engine_are_a_difference() -> None:
    changed = by_other_engine(DECISION)
    same = changed.model_copy(update={"binding": DECISION.binding})
    reproduction, _ = judge_again(record(same, POLICY), FIRST)
    assert [difference.split(":")[0] for difference in reproduction.differences] == [
        "outcomes[0].low",
        "outcomes[0].message",
    ]


def test_other_words_and_bounds_of_another_engine_are_not_compared() -> None:
    reproduction, line = judge_again(record(by_other_engine(DECISION), POLICY), FIRST)
    assert (reproduction.same_engine, reproduction.recorded_engine) == (False, OTHER)
    assert (reproduction.differences, reproduction.remarks) == ((), ())
    assert "the inputs of entry 1 of log " in line
    assert f"judged by engine {OTHER}; this engine, {ENGINE}, comes to the same ruling" in line
    assert "numbers and sentences are compared by the same engine only" in line
    assert "reproduced" not in line


def test_another_verdict_of_another_engine_is_a_remark() -> None:
    recorded = by_other_engine(judge(POLICY, WORSE, now=NOON), verdict=Verdict.PASS)
    recorded = recorded.model_copy(update={"verdict": Ruling.PROMOTE, "state": DECISION.state})
    reproduction, line = judge_again(record(recorded, POLICY), WORSE)
    assert reproduction.differences == ()
    assert reproduction.remarks == ("PROMOTE was recorded, and it rules HOLD", "auc_floor was PASS, and is FAIL")
    assert f"judged by engine {OTHER}; this engine, {ENGINE}, says otherwise: PROMOTE was recorded" in line


def test_other_inputs_are_a_difference_whoever_judges() -> None:
    log = record(by_other_engine(DECISION), POLICY)
    reproduction, _ = judge_again(log, WORSE)
    assert [difference.split(":")[0] for difference in reproduction.differences] == ["binding.scores"]
    other_rows = replace(FIRST, label=1 - FIRST.label)
    assert "binding.holdout" in judge_again(log, other_rows)[0].differences[0]
    entry = log.entry(1)
    context = export.Context.from_bytes(
        export.export_entry(entry, None, FIRST, policies.policy_bytes(POLICY))["context.json"], where="context.json"
    )
    laxer = Policy.parse(json.loads(policies.policy_bytes(POLICY)) | {"confidence": 0.6})
    changed = reproduce(FIRST, laxer, context, policy_file=policies.policy_bytes(laxer), decision=b"{}")
    assert [difference.split(":")[0] for difference in changed.differences] == [
        "policy.json",
        "decision.json",
        "binding.policy",
    ]


def test_of_a_sealed_decision_another_engine_compares_the_ruling() -> None:
    decision = judge(SEALING_POLICY, FIRST, now=NOON)
    reproduction, line = judge_again(record(by_other_engine(decision), SEALING_POLICY), FIRST)
    assert (reproduction.differences, reproduction.remarks) == ((), ())
    assert "comes to the same ruling; numbers" in line
    assert "auc" not in line
