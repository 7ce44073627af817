"""What is done to models after they were judged: revoked, rolled back, waived, retracted. One entry each."""

from __future__ import annotations

from datetime import datetime

from lockgate.gates.errors import LogError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.holdouts import recognise
from lockgate.gates.judge.waivers import LIFTED
from lockgate.gates.lifecycle.commit import Clock, record_event
from lockgate.gates.lifecycle.doubt import PromotionIndex, find_barred
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.events import Event, RegisteredEvent, RetractedEvent, RevokedEvent, RolledBackEvent, WaivedEvent
from lockgate.gates.log.replay import Moment
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.records.state import Champion, State, Waiver


def revoke(log: Log, run: str, *, reason: str, actor: str, clock: Clock) -> LogEntry:
    """The model of `run` never serves again, and is never promoted again; where it reigns, its predecessor does.

    `run` is a pathspec, or the id alone of a run that reigned. A run that was only judged may be revoked too.

    Raises LogError for a run that was never judged, or without a model, and for a model that was revoked before.
    """

    def event(state: State, at: Moment) -> Event:
        known = state.named(run)
        of, model = (known.run, known.sha256) if known else _judged_model(log, run)
        if of is None:
            raise LogError(f"no model of run {run[:80]!r} was ever judged", hint="`lockgate history` lists what was")
        if model is None:
            raise LogError(f"{of} was judged without a model: there is nothing to revoke", hint="nothing serves it")
        if model in state.revoked:
            raise LogError(
                f"{of} was revoked before, by entry {state.revoked[model]}",
                hint="where its predictions are served still, `lockgate predictions withdraw` takes them away",
            )
        without = state.model_copy(update={"revoked": {**state.revoked, model: at.seq}})
        reigned = state.champion is not None and state.champion.sha256 == model
        successor = without.before_champion(at.time) if reigned else state.champion
        return RevokedEvent(of=of, model=model, reason=reason, successor=successor and successor.seq)

    return record_event(log, event, actor=actor, clock=clock)


def rollback(log: Log, *, to: str | None, reason: str, actor: str, clock: Clock) -> LogEntry:
    """`to`, or the last model promoted before the champion that may be served, reigns again.

    Without `to` it is away from one champion only: where another reigns when the entry is made, or the last entry
    did the same for the same reason, nothing is recorded. So the command may be repeated.

    Raises LogError for that, where there is no such model, and where `to` never reigned, reigns already, or may not be
    served.
    """
    meant: list[int] = []  # the promotion of who reigned at first

    def event(state: State, at: Moment) -> Event:
        if to is None and state.champion is not None:
            _check_not_done(log, state, meant, reason)
            meant.append(state.champion.seq)
        target = _rollback_target(log, state, to, at.time)
        if refusal := target.refusal(at.time, revoked=state.revoked):
            raise LogError(refusal, expected="a model that may be served")
        return RolledBackEvent(to=str(target.run), promoted_by=target.seq, reason=reason)

    return record_event(log, event, actor=actor, clock=clock)


def _check_not_done(log: Log, state: State, meant: list[int], reason: str) -> None:
    reigning = state.champion
    last = log.entry(state.seq).event
    if isinstance(last, RolledBackEvent) and last.reason == reason.strip():
        problem = f"entry {state.seq} rolled back to {last.to} already, and for this reason"
    elif reigning is not None and meant and meant[0] != reigning.seq:
        problem = f"{reigning.run} reigns meanwhile, promoted by entry {reigning.seq}"
    else:
        return
    raise LogError(problem, hint="nothing was recorded; `lockgate rollback --to RUN` goes to any model by its name")


def _rollback_target(log: Log, state: State, to: str | None, now: datetime) -> Champion:
    if to is None:
        if state.champion is None:
            raise LogError("no model reigns", hint="name the run that is to, or evaluate again")
        found = state.before_champion(now)
        if found is None:
            raise LogError(
                f"no model that was promoted before {state.champion.run} may be served",
                hint="`lockgate champion --all` says why; or evaluate again",
            )
        return found
    found = state.named(to)
    if found is None:
        of, model = _judged_model(log, to)
        if model is not None and model in state.revoked:
            raise LogError(f"{of} was revoked by entry {state.revoked[model]}", expected="a model that may be served")
        known = ", ".join(str(one.run) for one in state.predecessors) or "none"
        raise LogError(f"run {to[:80]!r} never reigned", expected=f"one of {known}")
    if found is state.champion:
        raise LogError(f"{found.run} reigns already")
    return found


def waive(log: Log, gate: str, *, run: str, reason: str, until: datetime, actor: str, clock: Clock) -> LogEntry:
    """Lift one gate's block for one candidate until a time; judging the run again then counts it.

    The approver is whom conf/platform calls the key of `log.signer`. The gate's verdict stays.

    Raises LogError for a run that was not judged or is revoked, a gate that did not fail for it, a time that is past
    or has no time zone, and where the key signed the judgement itself.
    """
    signer = log.signer
    if signer is None:
        raise LogError("a waiver needs its approver's key", hint="set LOCKGATE_SIGNING_KEY_FILE to the approver's key")

    if until.tzinfo is None:
        raise LogError(f"{until.isoformat()} has no time zone", expected="one, as in 2024-05-01T12:00+00:00")

    def event(state: State, at: Moment) -> Event:
        if until <= at.time:
            raise LogError(
                f"the waiver would end at {until.isoformat()}", expected=f"a time after {at.time.isoformat()}"
            )
        entry = _last_judgement(log, run)
        if entry is None:
            raise LogError(f"run {run[:80]!r} was not judged", hint="judge it first: a waiver is for a verdict")
        if entry.signature is not None and entry.signature.key == signer.fingerprint:
            raise LogError("the key that signed the judgement may not waive it", expected="the key of an approver")
        decision = entry.read_decision()
        _check_waivable(gate, {one.name: one.verdict for one in decision.outcomes}, sealed=decision.sealed)
        bound = decision.binding
        if bound.run is None or bound.model is None:
            raise LogError("the judgement names no run and model that a waiver could be bound to", where=entry.where)
        if bound.model in state.revoked:
            raise LogError(f"{bound.run} was revoked by entry {state.revoked[bound.model]}", expected="another model")
        waiver = Waiver(
            gate=gate,
            run=bound.run,
            model=bound.model,
            policy=bound.policy,
            reason=reason,
            until=until,
            approver=log.keyring.name(signer.fingerprint),
            key=signer.fingerprint,
            seq=at.seq,
        )
        return WaivedEvent(waiver=waiver)

    return record_event(log, event, actor=actor, clock=clock)


def _check_waivable(gate: str, verdicts: dict[str, Verdict], *, sealed: bool) -> None:
    if sealed:
        return  # nobody may be told by a refusal what a gate said
    if gate not in verdicts:
        raise LogError(f"no gate {gate[:80]!r} judged the run", expected=f"one of {', '.join(verdicts)}")
    if verdicts[gate] not in LIFTED:
        raise LogError(f"gate {gate} says {verdicts[gate]}: there is nothing to waive", expected=" or ".join(LIFTED))


def retract(
    log: Log, *, data: str = "", metric: str = "", entry: int | None = None, reason: str, actor: str, clock: Clock
) -> LogEntry:
    """Rows (by digest, of a holdout or of training rows), a metric, or an entry was wrong.

    Every promotion in the log that rests on it is suspect, through the rows of its own judgement, of a re-verification
    or of training, or a waiver; and so is each that was judged against a suspect one. A suspect model is not served
    until `reverify` clears it. Rows that were retracted are not judged on again, nor are the scores of a judgement;
    a waiver lifts nothing any more. Of a metric only the past is in doubt: gates that use it go on doing so. A
    judgement that is sealed does not say which metrics it used: it counts as resting on each.

    Raises LogError where not exactly one thing is named, what is named is not known, or rows were retracted before
    and nothing else rests on them.
    """
    given = [(what, value) for what, value in (("data", data), ("metric", metric), ("entry", entry)) if value]
    if len(given) != 1:
        problem = "several things at once" if given else "nothing to retract"
        raise LogError(problem, expected="one of data, metric and entry")
    what, told = given[0]

    def event(state: State, _: Moment) -> Event:
        made = PromotionIndex(log.entries())
        value = made.whole_digest(str(told), state) if what == "data" else str(told)
        if what == "metric":
            made.check_metric(value)
        suspects = made.resting(what, value)
        if what == "data" and value in state.retracted and not state.clear_of_doubt(suspects):
            raise LogError(f"rows {value[:12]} were retracted before, by entry {state.retracted[value]}")
        return RetractedEvent(
            what=what, value=value, reason=reason, suspects=suspects, barred=find_barred(log, what, value)
        )

    return record_event(log, event, actor=actor, clock=clock)


def register(log: Log, evidence: Evidence, *, note: str, actor: str, clock: Clock) -> LogEntry:
    """Make the rows of `evidence` known as a holdout before anything is judged on them: since when can then be asked.

    Raises LogError where there are none, or they are known.
    """
    digest = evidence.holdout
    if evidence.n == 0:
        raise LogError("there are no rows to register", expected="a holdout with at least one row")

    def event(state: State, at: Moment) -> Event:
        if digest in state.holdouts:
            raise LogError(f"holdout {digest[:12]} is registered since entry {state.holdouts[digest].since}")
        return RegisteredEvent(digest=digest, holdout=recognise(evidence, state, seq=at.seq).rows, note=note)

    return record_event(log, event, actor=actor, clock=clock)


def _last_judgement(log: Log, run: str) -> LogEntry | None:
    for entry in log.backwards():
        if entry.judgement and entry.event.run and run in (entry.event.run, entry.event.run.rpartition("/")[2]):
            return entry
    return None


def _judged_model(log: Log, run: str) -> tuple[str | None, str | None]:
    entry = _last_judgement(log, run)
    bound = entry.read_decision().binding if entry else None
    return (bound.run, bound.model) if bound else (None, None)
