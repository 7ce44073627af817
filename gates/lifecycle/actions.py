"""What people do about models that were judged: revoke, roll back, waive, retract. Each action is one entry."""

from __future__ import annotations

from datetime import datetime

from lockgate.gates.errors import LogError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.holdouts import recognise
from lockgate.gates.judge.waivers import LIFTABLE_VERDICTS
from lockgate.gates.lifecycle.commit import Clock, record_event
from lockgate.gates.lifecycle.doubt import PromotionIndex, find_barred
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.events import Event, RegisteredEvent, RetractedEvent, RevokedEvent, RolledBackEvent, WaivedEvent
from lockgate.gates.log.replay import Moment
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.records.state import Champion, State, Waiver


def revoke(log: Log, run: str, *, reason: str, actor: str, clock: Clock) -> LogEntry:
    """Ban the model of `run` for good: it never serves, and is never promoted, again.

    If it is champion, its predecessor takes over. `run` is a pathspec, or the id alone. A run that was judged and
    never promoted may be revoked too.

    Raises LogError if the run was never judged, if it has no model, or if its model was revoked before.
    """

    def build_event(state: State, moment: Moment) -> Event:
        champion = state.find_champion(run)
        pathspec, model = (champion.run, champion.sha256) if champion else _find_judged_model(log, run)
        if pathspec is None:
            raise LogError(
                f"no model of run {run[:80]!r} was ever judged", hint="`lockgate history` lists the runs that were"
            )
        if model is None:
            raise LogError(
                f"{pathspec} was judged without a model: there is nothing to revoke", hint="nothing serves it"
            )
        if model in state.revoked:
            raise LogError(
                f"{pathspec} was revoked before, by entry {state.revoked[model]}",
                hint="if its predictions are still served, `lockgate predictions withdraw` withdraws them",
            )
        without = state.model_copy(update={"revoked": {**state.revoked, model: moment.seq}})
        reigned = state.champion is not None and state.champion.sha256 == model
        successor = without.find_successor(moment.time) if reigned else state.champion
        return RevokedEvent(of=pathspec, model=model, reason=reason, successor=successor and successor.seq)

    return record_event(log, build_event, actor=actor, clock=clock)


def rollback(log: Log, *, to: str | None, reason: str, actor: str, clock: Clock) -> LogEntry:
    """Make a former champion the champion again: `to`, or the latest one before the champion that may be served.

    Without `to` the command can be repeated safely. It replaces only the champion that it found at first, and it
    refuses if the last entry did the same for the same reason.

    Raises LogError if it refuses, if there is no such model, or if `to` never reigned, reigns already, or may not be
    served.
    """
    replaced: list[int] = []  # the promotion of the champion at the first try; later tries see other writers' entries

    def build_event(state: State, moment: Moment) -> Event:
        if to is None and state.champion is not None:
            _check_not_repeated(log, state, replaced, reason)
            replaced.append(state.champion.seq)
        target = _find_rollback_target(log, state, to, moment.time)
        if refusal := target.refusal(moment.time, revoked=state.revoked):
            raise LogError(refusal, expected="a model that may be served")
        return RolledBackEvent(to=str(target.run), promoted_by=target.seq, reason=reason)

    return record_event(log, build_event, actor=actor, clock=clock)


def _check_not_repeated(log: Log, state: State, replaced: list[int], reason: str) -> None:
    reigning = state.champion
    last = log.entry(state.seq).event
    if isinstance(last, RolledBackEvent) and last.reason == reason.strip():
        problem = f"entry {state.seq} already rolled back to {last.to}, for the same reason"
    elif reigning is not None and replaced and replaced[0] != reigning.seq:
        problem = f"{reigning.run} reigns by now, promoted by entry {reigning.seq}"
    else:
        return
    raise LogError(problem, hint="nothing was recorded; `lockgate rollback --to RUN` names the model to go back to")


def _find_rollback_target(log: Log, state: State, to: str | None, now: datetime) -> Champion:
    if to is None:
        if state.champion is None:
            raise LogError("no model reigns", hint="name the run to go back to, or evaluate again")
        predecessor = state.find_successor(now)
        if predecessor is None:
            raise LogError(
                f"no model that was promoted before {state.champion.run} may be served",
                hint="`lockgate champion --all` says why; evaluate again if none will do",
            )
        return predecessor
    target = state.find_champion(to)
    if target is None:
        pathspec, model = _find_judged_model(log, to)
        if model is not None and model in state.revoked:
            raise LogError(
                f"{pathspec} was revoked by entry {state.revoked[model]}", expected="a model that may be served"
            )
        runs = ", ".join(str(predecessor.run) for predecessor in state.predecessors) or "none"
        raise LogError(f"run {to[:80]!r} never reigned", expected=f"one of {runs}")
    if target is state.champion:
        raise LogError(f"{target.run} reigns already")
    return target


def waive(log: Log, gate: str, *, run: str, reason: str, until: datetime, actor: str, clock: Clock) -> LogEntry:
    """Lift one gate's block for one candidate until a time. It takes effect when the run is judged again.

    The approver's name is the one that conf/platform gives the key of `log.signer`. The gate's verdict stays as it is.

    Raises LogError if the run was not judged or is revoked, if the gate did not fail for it, if the time is past or
    has no time zone, or if the key signed the judgement itself.
    """
    signer = log.signer
    if signer is None:
        raise LogError("a waiver needs its approver's key", hint="set LOCKGATE_SIGNING_KEY_FILE to the approver's key")
    if until.tzinfo is None:
        raise LogError(f"{until.isoformat()} has no time zone", expected="one, as in 2024-05-01T12:00+00:00")

    def build_event(state: State, moment: Moment) -> Event:
        if until <= moment.time:
            raise LogError(
                f"the waiver would end at {until.isoformat()}", expected=f"a time after {moment.time.isoformat()}"
            )
        entry = _find_last_judgement(log, run)
        if entry is None:
            raise LogError(f"run {run[:80]!r} was not judged", hint="judge it first: a waiver lifts a verdict")
        if entry.signature is not None and entry.signature.key == signer.fingerprint:
            raise LogError("the key that signed the judgement may not waive it", expected="the key of an approver")
        decision = entry.read_decision()
        verdicts = {outcome.name: outcome.verdict for outcome in decision.outcomes}
        _check_waivable(gate, verdicts, sealed=decision.sealed)
        binding = decision.binding
        if binding.run is None or binding.model is None:
            raise LogError("the judgement names no run and model that a waiver could be bound to", where=entry.where)
        if binding.model in state.revoked:
            raise LogError(
                f"{binding.run} was revoked by entry {state.revoked[binding.model]}", expected="another model"
            )
        waiver = Waiver(
            gate=gate,
            run=binding.run,
            model=binding.model,
            policy=binding.policy,
            reason=reason,
            until=until,
            approver=log.keyring.name(signer.fingerprint),
            key=signer.fingerprint,
            seq=moment.seq,
        )
        return WaivedEvent(waiver=waiver)

    return record_event(log, build_event, actor=actor, clock=clock)


def _check_waivable(gate: str, verdicts: dict[str, Verdict], *, sealed: bool) -> None:
    if sealed:
        return  # a refusal would disclose what a gate said
    if gate not in verdicts:
        raise LogError(f"no gate {gate[:80]!r} judged the run", expected=f"one of {', '.join(verdicts)}")
    if verdicts[gate] not in LIFTABLE_VERDICTS:
        raise LogError(
            f"gate {gate} says {verdicts[gate]}: there is nothing to waive", expected=" or ".join(LIFTABLE_VERDICTS)
        )


def retract(
    log: Log, *, data: str = "", metric: str = "", entry: int | None = None, reason: str, actor: str, clock: Clock
) -> LogEntry:
    """Declare that rows (named by digest, of a holdout or of training), a metric, or an entry were wrong.

    Every promotion that rests on it becomes suspect: through the rows of its judgement, of a re-verification or of
    training, or through a waiver. So does every promotion that was judged against a suspect model. A suspect model is
    not served until `reverify` clears it.

    Retracted rows are never judged on again, nor are the scores of a retracted judgement, and a retracted waiver lifts
    nothing any more. A retracted metric puts only the past in doubt: gates may still use it. A sealed judgement does
    not say which metrics it used, so it counts as resting on each.

    Raises LogError unless exactly one known thing is named, or if rows were retracted before and nothing new rests on
    them.
    """
    subjects = [(kind, value) for kind, value in (("data", data), ("metric", metric), ("entry", entry)) if value]
    if len(subjects) != 1:
        problem = "several things at once" if subjects else "nothing to retract"
        raise LogError(problem, expected="one of data, metric and entry")
    kind, name = subjects[0]

    def build_event(state: State, _: Moment) -> Event:
        promotions = PromotionIndex(log.entries())
        value = promotions.complete_digest(str(name), state) if kind == "data" else str(name)
        if kind == "metric":
            promotions.check_metric(value)
        suspects = promotions.find_resting(kind, value)
        if kind == "data" and value in state.retracted and not state.find_unsuspected(suspects):
            raise LogError(f"rows {value[:12]} were retracted before, by entry {state.retracted[value]}")
        barred = find_barred(log, kind, value)
        return RetractedEvent(what=kind, value=value, reason=reason, suspects=suspects, barred=barred)

    return record_event(log, build_event, actor=actor, clock=clock)


def register(log: Log, evidence: Evidence, *, note: str, actor: str, clock: Clock) -> LogEntry:
    """Make the rows of `evidence` known as a holdout before anything is judged on them, which dates the holdout.

    Raises LogError if there are no rows, or if the holdout is known already.
    """
    digest = evidence.holdout
    if evidence.n == 0:
        raise LogError("there are no rows to register", expected="a holdout with at least one row")

    def build_event(state: State, moment: Moment) -> Event:
        if digest in state.holdouts:
            raise LogError(f"holdout {digest[:12]} has been registered since entry {state.holdouts[digest].since}")
        return RegisteredEvent(digest=digest, holdout=recognise(evidence, state, seq=moment.seq).rows, note=note)

    return record_event(log, build_event, actor=actor, clock=clock)


def _find_last_judgement(log: Log, run: str) -> LogEntry | None:
    for entry in log.backwards():
        if entry.judgement and entry.event.run and run in (entry.event.run, entry.event.run.rpartition("/")[2]):
            return entry
    return None


def _find_judged_model(log: Log, run: str) -> tuple[str | None, str | None]:
    entry = _find_last_judgement(log, run)
    binding = entry.read_decision().binding if entry else None
    return (binding.run, binding.model) if binding else (None, None)
