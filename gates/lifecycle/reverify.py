"""The champion judged again, by the policy of the day and alone: one entry, which prolongs its promotion or ends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from lockgate.gates.durations import MAX_CLOCK_SKEW
from lockgate.gates.errors import LockgateError, LogError, StaleError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.judge.engine import judge
from lockgate.gates.lifecycle.commit import Clock, record_event
from lockgate.gates.log import Log, LogEntry, policies, replay
from lockgate.gates.log.events import ReverifiedEvent
from lockgate.gates.log.replay import Moment
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Ruling, Verdict
from lockgate.gates.records.state import Champion, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverification:
    """The decision, and the entry that records it; None where the champion could not be judged."""

    decision: Decision
    entry: LogEntry | None


def policy_without_champion(policy: Policy) -> Policy:
    """The policy as a champion is judged by it: nothing is beside it, which is no reason to hold."""
    return policy.model_copy(update={"if_no_champion": "absolute_only"})


def judge_champion(policy: Policy, evidence: Evidence, state: State, *, now: datetime) -> Decision:
    """What the absolute gates say of the reigning model's scores. Comparisons are SKIP, and no look is taken.

    Of `state` only what is barred counts: a revoked model and retracted rows are an ERROR. Waivers were granted to a
    challenger; they lift nothing here. The decision's own state is that of a look that nobody records.

    Raises:
        StaleError: the evidence is not of the model that reigns.
        LockgateError: every blocking gate compares, so that nothing can be shown of one model.
    """
    champion = _check_scored(evidence, state)
    barred = State(seq=state.seq, salt=state.salt, revoked=state.revoked, retracted=state.retracted)
    decision = judge(policy_without_champion(policy), evidence, barred, now=now)
    blocking = [one for one in decision.outcomes if one.severity == "block"]
    if all(one.verdict is Verdict.SKIP for one in blocking):
        raise LockgateError(
            f"every blocking gate compares two models: nothing can be shown of {champion.run} alone",
            expected="a blocking gate that judges a model by itself, such as a threshold",
            hint="evaluate a challenger instead",
        )
    return decision


def build_event(policy: Policy, evidence: Evidence, state: State, at: Moment) -> tuple[ReverifiedEvent, Decision]:
    """What entry `at.seq` records, and the decision as it is told: with the state after the entry, sealed where due.

    PROMOTE renews the promotion for as long as the policy says, HOLD ends it at once, INCONCLUSIVE leaves it. Raises
    as `judge_champion` does, and LogError where the gates could not be judged: an ERROR is not recorded.
    """
    decision = judge_champion(policy, evidence, state, now=at.time)
    if decision.verdict is Ruling.ERROR:
        raise LogError(f"the champion cannot be judged: {decision.reason}")
    champion = _check_scored(evidence, state)
    told = decision.seal() if policy.disclose == "promotion_only" else decision
    bare = ReverifiedEvent(
        of=str(champion.run),
        promoted_by=champion.seq,
        evidence_run=str(decision.binding.run),
        decision=told.model_dump(mode="json", exclude={"state"}),
        decision_sha256="0" * 64,
        policy_sha256=policies.policy_sha256(policy_without_champion(policy)),
        valid_until=_valid_until(decision.verdict, policy, champion, at.time),
    )
    return _complete_event(bare, decision, sealed=told.sealed, before=state, at=at)


def reverify(policy: Policy, evidence: Evidence, log: Log, *, actor: str, clock: Clock) -> Reverification:
    """Judge the champion of `log` on `evidence`, which its own scores are in, and append what was found.

    Raises as `judge_champion` and `lockgate.gates.lifecycle.commit.record` do.
    """
    first = judge_champion(policy, evidence, log.state(), now=clock())
    if first.verdict is Ruling.ERROR:
        return Reverification(decision=first, entry=None)
    keep = cache(partial(policies.store_policy, log.store, policy_without_champion(policy)))
    told: list[Decision] = []

    def happened(state: State, at: Moment) -> ReverifiedEvent:
        made, decision = build_event(policy, evidence, state, at)
        told.append(decision)
        return made

    entry = record_event(log, happened, actor=actor, clock=clock, before_write=keep)
    return Reverification(decision=told[-1], entry=entry)


def _check_scored(evidence: Evidence, state: State) -> Champion:
    champion = state.champion
    if champion is None:
        raise LogError("no model reigns", hint="`make evaluate model=xgb` trains and judges one")
    model = read_part(evidence.facts, "challenger").get("sha256")
    if model is None or model != champion.sha256:
        raise StaleError(
            f"STALE: another model than {champion.run}, which reigns now, was scored", hint="reverify again"
        )
    if evidence.champion is not None:
        raise LockgateError("a champion's scores are beside the model's own", expected="the scores of one model")
    return champion


def _valid_until(verdict: Ruling, policy: Policy, champion: Champion, now: datetime) -> datetime | None:
    """Until when the champion may be served. What ends now ended so long ago that no clock forgives it: neither that of
    this machine nor that of a consumer, each of which may be wrong by MAX_CLOCK_SKEW.
    """
    if verdict is Ruling.PROMOTE:
        return now + policy.validity
    if verdict is Ruling.INCONCLUSIVE:
        return champion.valid_until
    return min(now - 3 * MAX_CLOCK_SKEW, champion.valid_until or now)


def _complete_event(
    bare: ReverifiedEvent, decision: Decision, *, sealed: bool, before: State, at: Moment
) -> tuple[ReverifiedEvent, Decision]:
    after = replay.apply_event(before, bare, at)
    told = decision.model_copy(update={"state": after})
    told = told.seal() if sealed else told
    return bare.model_copy(update={"decision_sha256": told.sha256}), told
