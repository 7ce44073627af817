"""What is done to models after they were judged: revoked, rolled back, waived, retracted. One entry each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from gates.decision import Decision
from gates.errors import LogError
from gates.log import Entry, Log
from gates.log.events import Event, Registered, Retracted, Revoked, RolledBack, Waived
from gates.log.replay import Moment
from gates.outcome import Outcome, Verdict
from gates.promotion import Clock, record
from gates.state import Champion, Holdout, State, Waiver
from gates.waivers import LIFTED

_HEX = 64


def revoke(log: Log, run: str, *, reason: str, actor: str, clock: Clock) -> Entry:
    """The model of `run` never serves again, and is never promoted again; where it reigns, its predecessor does.

    `run` is a pathspec, or the id alone of a run that reigned. A run that was only judged may be revoked too.

    Raises LogError for a run that was never judged, and for one that was revoked before.
    """

    def event(state: State, at: Moment) -> Event:
        known = state.named(run)
        of, model = (known.run, known.sha256) if known else _judged_model(log, run)
        if of is None or model is None:
            raise LogError(f"no model of run {run[:80]!r} was ever judged", hint="`lockgate history` lists what was")
        if model in state.revoked:
            raise LogError(f"{of} was revoked before, by entry {state.revoked[model]}")
        without = state.model_copy(update={"revoked": {**state.revoked, model: at.seq}})
        reigned = state.champion is not None and state.champion.sha256 == model
        successor = without.before_champion(at.time) if reigned else state.champion
        return Revoked(of=of, model=model, reason=reason, successor=successor and successor.seq)

    return record(log, event, actor=actor, clock=clock)


def rollback(log: Log, *, to: str | None, reason: str, actor: str, clock: Clock) -> Entry:
    """`to`, or the last model promoted before the champion that may be served, reigns again.

    Raises LogError where there is none, or `to` never reigned, reigns already, or may not be served.
    """

    def event(state: State, at: Moment) -> Event:
        target = _rollback_target(state, to, at.time)
        if refusal := target.refusal(at.time, revoked=state.revoked):
            raise LogError(refusal, expected="a model that may be served")
        return RolledBack(to=str(target.run), promoted_by=target.seq, reason=reason)

    return record(log, event, actor=actor, clock=clock)


def _rollback_target(state: State, to: str | None, now: datetime) -> Champion:
    if state.champion is None:
        raise LogError("no model reigns", hint="`make evaluate model=xgb` trains and judges one")
    if to is None:
        found = state.before_champion(now)
        if found is None:
            raise LogError(
                f"no model that was promoted before {state.champion.run} may be served",
                hint="`lockgate champion --all` says why; or evaluate again",
            )
        return found
    found = state.named(to)
    if found is None:
        known = ", ".join(str(one.run) for one in state.predecessors) or "none"
        raise LogError(f"run {to[:80]!r} never reigned", expected=f"one of {known}")
    if found is state.champion:
        raise LogError(f"{found.run} reigns already")
    return found


def waive(
    log: Log, gate: str, *, run: str, reason: str, until: datetime, approver: str, actor: str, clock: Clock
) -> Entry:  # fmt: skip
    """Lift one gate's block for one candidate until a time; judging the run again then counts it.

    `approver` is the name that conf/platform gives the key of `log.signer`. The gate's verdict stays.

    Raises LogError for a run that was not judged, a gate that did not fail for it, a time that is past, and where the
    key signed the judgement itself.
    """
    signer = log.signer
    if signer is None:
        raise LogError("a waiver needs its approver's key", hint="set LOCKGATE_SIGNING_KEY_FILE to the approver's key")

    def event(_: State, at: Moment) -> Event:
        if until <= at.time:
            raise LogError(
                f"the waiver would end at {until.isoformat()}", expected=f"a time after {at.time.isoformat()}"
            )
        entry = _last_judgement(log, run)
        if entry is None:
            raise LogError(f"run {run[:80]!r} was not judged", hint="judge it first: a waiver is for a verdict")
        if entry.signature is not None and entry.signature.key == signer.fingerprint:
            raise LogError("the key that signed the judgement may not waive it", expected="the key of an approver")
        decision = entry.decided()
        _check_waivable(gate, {one.name: one.verdict for one in decision.outcomes}, sealed=decision.sealed)
        bound = decision.binding
        if bound.run is None or bound.model is None:
            raise LogError("the judgement names no run and model that a waiver could be bound to", where=entry.where)
        waiver = Waiver(
            gate=gate, run=bound.run, model=bound.model, reason=reason, until=until, approver=approver,
            key=signer.fingerprint, seq=at.seq,
        )  # fmt: skip
        return Waived(waiver=waiver)

    return record(log, event, actor=actor, clock=clock)


def _check_waivable(gate: str, verdicts: dict[str, Verdict], *, sealed: bool) -> None:
    if sealed:
        return  # nobody may be told by a refusal what a gate said
    if gate not in verdicts:
        raise LogError(f"no gate {gate[:80]!r} judged the run", expected=f"one of {', '.join(verdicts)}")
    if verdicts[gate] not in LIFTED:
        raise LogError(f"gate {gate} says {verdicts[gate]}: there is nothing to waive", expected=" or ".join(LIFTED))


def retract(
    log: Log, *, data: str = "", metric: str = "", entry: int | None = None, reason: str, actor: str, clock: Clock
) -> Entry:  # fmt: skip
    """Rows (by digest, of a holdout or of training rows), a metric, or an entry was wrong.

    Every champion, past or present, that rested on it is suspect, and so is each that was judged against a suspect
    one. A suspect model is not served until `reverify` clears it. Rows that were retracted are not judged on again.
    A judgement that is sealed does not say which metrics it used: it counts as resting on each.

    Raises LogError where not exactly one thing is named, or what is named is not known.
    """
    given = [(what, value) for what, value in (("data", data), ("metric", metric), ("entry", entry)) if value]
    if len(given) != 1:
        problem = "several things at once" if given else "nothing to retract"
        raise LogError(problem, expected="one of data, metric and entry")
    what, told = given[0]

    def event(state: State, _: Moment) -> Event:
        held = (state.champion, *state.predecessors) if state.champion else state.predecessors
        promotions = {one.seq: log.entry(one.seq).decided() for one in held}
        value = _whole_digest(str(told), state, promotions.values()) if what == "data" else str(told)
        if what == "entry":
            log.entry(int(value))
        suspects = _resting(what, value, promotions)
        return Retracted(what=what, value=value, reason=reason, suspects=suspects)

    return record(log, event, actor=actor, clock=clock)


def _whole_digest(begun: str, state: State, promotions: Iterable[Decision]) -> str:
    known = {*state.holdouts, *(d for one in promotions for d in (one.binding.holdout, one.binding.train) if d)}
    found = [digest for digest in known if digest.startswith(begun.lower())]
    if len(begun) == _HEX and not found:
        return begun.lower()
    if len(found) != 1:
        raise LogError(
            f"{len(found) or 'no'} digests of rows begin with {begun[:64]!r}", expected="one",
            hint="`lockgate holdouts` lists them; reports show the first twelve digits",
        )  # fmt: skip
    return found[0]


def _resting(what: str, value: str, promotions: Mapping[int, Decision]) -> tuple[int, ...]:
    """The promotions that rest on it, and those that were made over a model of one that does."""
    suspects: list[int] = []
    models: set[str] = set()
    for seq, decision in sorted(promotions.items()):
        bound = decision.binding
        if what == "data":
            rests = value in (bound.holdout, bound.train)
        elif what == "metric":
            rests = decision.sealed or any(_of_metric(value, outcome) for outcome in decision.outcomes)
        else:
            rests = str(seq) == value
        if rests or bound.champion_model in models:
            suspects.append(seq)
            models |= {bound.model} if bound.model else set()
    return tuple(suspects)


def _of_metric(name: str, outcome: Outcome) -> bool:
    own = (outcome.metric or "").partition("@")[0] == name.partition("@")[0]
    return own or any(_of_metric(name, part) for part in outcome.parts)


def register(log: Log, digest: str, holdout: Callable[[int], Holdout], *, note: str, actor: str, clock: Clock) -> Entry:
    """Make a holdout known before anything is judged on it: who holds it out can then be asked since when."""

    def event(state: State, at: Moment) -> Event:
        if digest in state.holdouts:
            raise LogError(f"holdout {digest[:12]} is registered since entry {state.holdouts[digest].since}")
        return Registered(digest=digest, holdout=holdout(at.seq), note=note)

    return record(log, event, actor=actor, clock=clock)


def _last_judgement(log: Log, run: str) -> Entry | None:
    for entry in log.backwards():
        if entry.judged and entry.event.run and run in (entry.event.run, entry.event.run.rpartition("/")[2]):
            return entry
    return None


def _judged_model(log: Log, run: str) -> tuple[str | None, str | None]:
    entry = _last_judgement(log, run)
    bound = entry.decided().binding if entry else None
    return (bound.run, bound.model) if bound else (None, None)
