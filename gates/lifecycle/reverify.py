"""Judge the champion again, alone and by today's policy: one entry, which renews its promotion or ends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from lockgate.gates.durations import MAX_CLOCK_SKEW, shift_time
from lockgate.gates.errors import LockgateError, LogError, StaleError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.judge.engine import judge
from lockgate.gates.lifecycle.commit import Clock, apply_disclosure, record_event
from lockgate.gates.log import Log, LogEntry, policies, replay
from lockgate.gates.log.events import ReverifiedEvent
from lockgate.gates.log.replay import Moment
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Ruling, Verdict
from lockgate.gates.records.state import Champion, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverification:
    """The decision, and the entry that records it; None if the champion could not be judged."""

    decision: Decision
    entry: LogEntry | None


def policy_without_champion(policy: Policy) -> Policy:
    """The policy for judging a champion: that there is nothing to compare it with is no reason to hold."""
    return policy.model_copy(update={"if_no_champion": "absolute_only"})


def judge_champion(policy: Policy, evidence: Evidence, state: State, *, now: datetime) -> Decision:
    """Judge the champion's scores by the absolute gates. Comparisons are SKIP, and no look is charged.

    Of `state` only bans count: a revoked model and retracted rows are an ERROR. Waivers lift nothing here, as they were
    granted to challengers. The decision's own state belongs to a look that is never recorded.

    Raises:
        StaleError: the evidence is not of the champion.
        LockgateError: every blocking gate compares, so no gate can judge one model.
    """
    champion = _require_champion(evidence, state)
    bans = State(seq=state.seq, salt=state.salt, revoked=state.revoked, retracted=state.retracted)
    decision = judge(policy_without_champion(policy), evidence, bans, now=now)
    blocking = [outcome for outcome in decision.outcomes if outcome.severity == "block"]
    if all(outcome.verdict is Verdict.SKIP for outcome in blocking):
        raise LockgateError(
            f"every blocking gate compares two models: {champion.run} cannot be judged alone",
            expected="a blocking gate that judges a model by itself, such as a threshold",
            hint="evaluate a challenger instead",
        )
    return decision


def build_event(policy: Policy, evidence: Evidence, state: State, moment: Moment) -> tuple[ReverifiedEvent, Decision]:
    """The event to record at `moment`, and the decision to disclose: with the state after the event, perhaps sealed.

    PROMOTE renews the promotion for as long as the policy says, HOLD ends it at once, INCONCLUSIVE leaves it as it is.
    Raises as `judge_champion` does, and LogError for an ERROR, which is not recorded.
    """
    decision = judge_champion(policy, evidence, state, now=moment.time)
    if decision.verdict is Ruling.ERROR:
        raise LogError(f"the champion cannot be judged: {decision.reason}")
    champion = _require_champion(evidence, state)
    disclosed = apply_disclosure(policy, decision)
    draft = ReverifiedEvent(
        of=str(champion.run),
        promoted_by=champion.seq,
        evidence_run=str(decision.binding.run),
        decision=disclosed.model_dump(mode="json", exclude={"state"}),
        decision_sha256="0" * 64,  # covers the state after the event, which needs the event first
        policy_sha256=policies.policy_sha256(policy_without_champion(policy)),
        valid_until=_choose_valid_until(decision.verdict, policy, champion, moment.time),
    )
    after = replay.apply_event(state, draft, moment)
    disclosed = apply_disclosure(policy, decision.model_copy(update={"state": after}))
    return draft.model_copy(update={"decision_sha256": disclosed.sha256}), disclosed


def reverify(policy: Policy, evidence: Evidence, log: Log, *, actor: str, clock: Clock) -> Reverification:
    """Judge the champion of `log` on `evidence`, which holds its scores alone, and append the outcome.

    Raises as `judge_champion` and `record_event` do.
    """
    first = judge_champion(policy, evidence, log.state(), now=clock())
    if first.verdict is Ruling.ERROR:
        return Reverification(decision=first, entry=None)
    store_policy_once = cache(partial(policies.store_policy, log.store, policy_without_champion(policy)))
    decisions: list[Decision] = []  # one per attempt; the last attempt is the one that was recorded

    def build_next_event(state: State, moment: Moment) -> ReverifiedEvent:
        event, decision = build_event(policy, evidence, state, moment)
        decisions.append(decision)
        return event

    entry = record_event(log, build_next_event, actor=actor, clock=clock, before_write=store_policy_once)
    return Reverification(decision=decisions[-1], entry=entry)


def _require_champion(evidence: Evidence, state: State) -> Champion:
    champion = state.champion
    if champion is None:
        raise LogError("no model reigns", hint="`make evaluate model=xgb` trains and judges one")
    model = read_part(evidence.facts, "challenger").get("sha256")
    if model is None or model != champion.sha256:
        raise StaleError(
            f"STALE: a model other than {champion.run}, which reigns now, was scored", hint="reverify again"
        )
    if evidence.champion is not None:
        raise LockgateError("the evidence compares two models", expected="the scores of the champion alone")
    return champion


def _choose_valid_until(verdict: Ruling, policy: Policy, champion: Champion, now: datetime) -> datetime | None:
    """How long the champion may be served.

    A promotion that ends now is dated back beyond every allowance for clocks: this machine's and the consumer's, each
    of which may be wrong by MAX_CLOCK_SKEW.
    """
    if verdict is Ruling.PROMOTE:
        return shift_time(now, policy.validity)
    if verdict is Ruling.INCONCLUSIVE:
        return champion.valid_until
    return min(shift_time(now, -3 * MAX_CLOCK_SKEW), champion.valid_until or now)
