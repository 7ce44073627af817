"""`lockgate retract`, `rollback`, `revoke` and `waive`: what people decide about models, one entry each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LockgateError, SigningError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Log, LogEntry


def retract(
    reason: options.Reason,
    data: Annotated[str, typer.Option(help="Rows, by the digest of a holdout or of training rows.")] = "",
    metric: Annotated[str, typer.Option(help="A metric, by name.")] = "",
    entry: Annotated[int | None, typer.Option(min=1, help="An entry of the promotion log.")] = None,
    as_json: options.Json = False,
) -> None:
    """Say that something was wrong: every model that was promoted on it is suspect, and not served until re-verified.

    So is each that was judged against a suspect one. Rows that were retracted are not judged on again.
    """
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import project_log, show_recorded
    from lockgate.pipelines.promotion.actor import actor, clock

    log = project_log(writing=True)
    retraction = actions.retract(log, data=data, metric=metric, entry=entry, reason=reason, actor=actor(), clock=clock)
    suspects = [
        f"suspect: {run or 'a model without a run'}, promoted by entry {seq}" for seq, run in _suspects(log, retraction)
    ]
    show_recorded(log, retraction, as_json=as_json, then=[*suspects, *_next_steps(retraction)])


def _suspects(log: Log, entry: LogEntry) -> list[tuple[int, str | None]]:
    """Every promotion that is in doubt now, those of models that no longer count too."""
    return [(seq, log.entry(seq).event.run) for seq in getattr(entry.event, "suspects", ())]


def _next_steps(entry: LogEntry) -> list[str]:
    """What to run, where it concerns who reigns."""
    if not getattr(entry.event, "suspects", ()):
        return ["no champion, past or present, rested on it"]
    champion, earlier = entry.state.champion, entry.state.before_champion(entry.time)
    if champion is None or champion.suspect is None:
        return [f"{champion.run} reigns and does not rest on it" if champion else "no model reigns"]
    back = [f"  lockgate rollback --reason '…': lets {earlier.run} reign, which is not suspect"] if earlier else []
    return [
        f"{champion.run} reigns, and nothing new is served until one of these is done:",
        "  lockgate reverify: judges it again, alone, and clears it where it passes",
        *back,
        "  lockgate evaluate: trains and judges another",
    ]


def rollback(
    reason: options.Reason,
    to: Annotated[
        str | None, typer.Option(help="The run that is to reign; the last promoted before the champion if not given.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Let a model that reigned before reign again. The one that did may be chosen again: rollback --to RUN."""
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import project_log, record_entry, show_recorded
    from lockgate.pipelines.promotion.actor import actor, clock

    log = project_log(writing=True)
    entry = record_entry(log, lambda: actions.rollback(log, to=to, reason=reason, actor=actor(), clock=clock))
    show_recorded(log, entry, as_json=as_json, then=["next: `lockgate predict` publishes predictions of the champion"])


def revoke(
    run: Annotated[str, typer.Argument(help="The run whose model it is: EvaluateNewModel/ID, or its ID.")],
    reason: options.Reason,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="And take its predictions away now, before others replace them.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Take a model out of service for good. Where it reigns, the last before it that may be served reigns again.

    Its predictions stay until those of another model are published, or until they are withdrawn.
    """
    from lockgate.gates import runs
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import record_entry, show_recorded
    from lockgate.pipelines.promotion.actor import actor, clock
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.scoring import withdrawal
    from lockgate.pipelines.settings.settings import compose

    runs.check_installation()
    settings = compose().settings
    log = open_log(settings, writing=True)
    entry = record_entry(log, lambda: actions.revoke(log, run, reason=reason, actor=actor(), clock=clock))
    then, failure = [_PUBLISH_NEXT if entry.state.champion else _NOBODY_SERVES], None
    try:
        then[:0] = (
            withdrawal.describe_withdrawal(*withdrawal.withdraw_revoked(settings, log))
            if withdraw
            else withdrawal.describe_served(settings, log)
        )
    except LockgateError as err:
        failure = err
        stay = f"; predictions of a revoked model stay until others replace them, or until {withdrawal.WITHDRAW_COMMAND}"
        then[:0] = [f"what applications read is unknown: {err.problem}{'' if withdraw else stay}"]
    show_recorded(log, entry, as_json=as_json, then=then)
    if withdraw and failure is not None:
        failure.hint = f"entry {entry.seq} is recorded; when this is over, {withdrawal.WITHDRAW_COMMAND} takes away what is served"
        raise failure


_PUBLISH_NEXT = "next: `lockgate predict` publishes predictions of the champion"
_NOBODY_SERVES = "nothing may be served now: `lockgate evaluate` trains and judges a model"


def waive(
    gate: Annotated[str, typer.Argument(help="The gate, by its name in the policy.")],
    run: Annotated[str, typer.Option(help="The candidate: EvaluateNewModel/ID, or its ID.")],
    reason: options.Reason,
    until: Annotated[str, typer.Option(help="When it ends: 2026-12-31, 2026-12-31T18:00, or how long: 14d, 12h.")],
    as_json: options.Json = False,
) -> None:
    """Lift one gate's block for one run that was judged. Signed with an approver's key; the gate's verdict stays.

    A promotion that needed it is valid no longer than the waiver.
    """
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.dates import parse_moment
    from lockgate.pipelines.cli.shared.log import project_log, show_recorded
    from lockgate.pipelines.promotion.actor import actor, clock

    log = project_log(writing=True)
    signer = log.signer
    trusted_key = log.keyring.keys.get(signer.fingerprint) if signer else None
    if trusted_key is None or trusted_key.role != "approver":
        approvers = ", ".join(key.name for key in log.keyring.keys.values() if key.role == "approver")
        raise SigningError(
            f"this key is {trusted_key.name}'s, who is no approver"
            if trusted_key
            else "there is no key of an approver to sign with",
            expected=f"the key of {approvers}" if approvers else "a key with role approver in conf/platform",
            hint="`lockgate keys show` says which key is used; LOCKGATE_SIGNING_KEY_FILE names another",
        )
    entry = actions.waive(
        log,
        gate,
        run=run,
        reason=reason,
        until=parse_moment(until, now=clock(), where="--until"),
        actor=actor(),
        clock=clock,
    )
    then = f"next: `lockgate judge {entry.event.run}`, with a judge's key where the log is signed, counts it"
    show_recorded(log, entry, as_json=as_json, then=[*_other_blocks(log, entry), then])


def _other_blocks(log: Log, entry: LogEntry) -> list[str]:
    """What blocks the run besides, as it was judged last; nothing is told of a judgement that is sealed."""
    from lockgate.gates.judge.waivers import apply_waivers

    judged = next(
        earlier for earlier in log.backwards(start=entry) if earlier.judgement and earlier.event.run == entry.event.run
    )
    decision = judged.read_decision()
    lifted = apply_waivers(decision.outcomes, entry.state, decision.binding, entry.time)
    return [
        f"{outcome.name} says {outcome.verdict} and blocks it too"
        for outcome in lifted.outcomes
        if outcome.severity == "block" and not outcome.waived and outcome.verdict not in ("PASS", "SKIP")
    ]
