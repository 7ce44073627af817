"""`lockgate retract`, `rollback`, `revoke` and `waive`: what people decide about models, one entry each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LockgateError, SettingsError, SigningError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Log, LogEntry


def retract(
    reason: options.Reason,
    data: Annotated[str, typer.Option(help="Rows that were wrong: the digest of a holdout or of training rows.")] = "",
    metric: Annotated[str, typer.Option(help="A metric that was wrong, by name.")] = "",
    entry: Annotated[
        int | None, typer.Option(min=1, help="An entry of the promotion log that was wrong, by number.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Record that rows, a metric or an entry were wrong: every model that was promoted on them becomes suspect.

    So does every model that was judged against a suspect one. A suspect model is not served until it is re-verified.
    Retracted rows are never used for judging again.
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
    """Every promotion that is suspect now, including those of models that no longer count."""
    return [(seq, log.entry(seq).event.run) for seq in getattr(entry.event, "suspects", ())]


def _next_steps(entry: LogEntry) -> list[str]:
    """What to run next, if the reigning champion is affected."""
    from lockgate.pipelines.cli.shared.project import has_conf

    if not getattr(entry.event, "suspects", ()):
        return ["no past or present champion depends on it"]
    champion, earlier = entry.state.champion, entry.state.find_successor(entry.time)
    if champion is None or champion.suspect is None:
        return [f"{champion.run} reigns and does not depend on it" if champion else "no model reigns"]
    back = (
        [f"  lockgate rollback --reason '…': makes {earlier.run} champion again, which is not suspect"]
        if earlier
        else []
    )
    return [
        f"{champion.run} reigns, but nothing new is served until you do one of these:",
        *(["  lockgate reverify: judges it again, alone, and clears it if it passes"] if has_conf() else []),
        *back,
        "  lockgate evaluate: trains and judges another model" if has_conf() else f"  {_JUDGE_ANOTHER}",
    ]


def rollback(
    reason: options.Reason,
    to: Annotated[
        str | None,
        typer.Option(help="The run to make champion; by default the one promoted before the current champion."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make an earlier champion the champion again. Undo it with `rollback --to RUN`."""
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import project_log, record_entry, show_recorded
    from lockgate.pipelines.cli.shared.project import has_conf
    from lockgate.pipelines.promotion.actor import actor, clock

    log = project_log(writing=True)
    entry = record_entry(log, lambda: actions.rollback(log, to=to, reason=reason, actor=actor(), clock=clock))
    show_recorded(log, entry, as_json=as_json, then=[_PUBLISH_NEXT if has_conf() else _CONSUMERS_ASK])


def revoke(
    run: Annotated[str, typer.Argument(help="The run that trained the model: EvaluateNewModel/ID, or its ID.")],
    reason: options.Reason,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Also withdraw its predictions now, before others replace them.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Take a model out of service for good. If it is the champion, the last earlier one that may be served takes over.

    Its predictions stay until another model's are published, or until they are withdrawn.
    """
    from lockgate.gates import runs
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import record_entry, show_recorded
    from lockgate.pipelines.cli.shared.project import load_project
    from lockgate.pipelines.promotion.actor import actor, clock
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.scoring import withdrawal
    from lockgate.pipelines.settings.scope import PROJECT_FILE
    from lockgate.pipelines.settings.settings import Settings

    runs.check_installation()
    settings = load_project()
    if withdraw and not isinstance(settings, Settings):
        raise SettingsError("there are no predictions to withdraw", expected="a conf/ with a store", where=PROJECT_FILE)
    log = open_log(settings, writing=True)
    entry = record_entry(log, lambda: actions.revoke(log, run, reason=reason, actor=actor(), clock=clock))
    if not isinstance(settings, Settings):
        show_recorded(log, entry, as_json=as_json, then=[_CONSUMERS_ASK if entry.state.champion else _NONE_ADMITTED])
        return
    then, failure = [_PUBLISH_NEXT if entry.state.champion else _NOBODY_SERVES], None
    try:
        then[:0] = (
            withdrawal.describe_withdrawal(*withdrawal.withdraw_revoked(settings, log))
            if withdraw
            else withdrawal.describe_served(settings, log)
        )
    except LockgateError as err:
        failure = err
        stay = (
            f"; predictions of a revoked model stay until others replace them, or until {withdrawal.WITHDRAW_COMMAND}"
        )
        then[:0] = [f"it is unknown what applications read: {err.problem}{'' if withdraw else stay}"]
    show_recorded(log, entry, as_json=as_json, then=then)
    if withdraw and failure is not None:
        failure.hint = (
            f"entry {entry.seq} is recorded; once this is fixed, {withdrawal.WITHDRAW_COMMAND} withdraws what is served"
        )
        raise failure


_PUBLISH_NEXT = "next: `lockgate predict` publishes the champion's predictions"
_CONSUMERS_ASK = "next: restart what serves the model: it asks `lockgate.admit` before it serves another"
_JUDGE_ANOTHER = "lockgate judge FLOW/ID: judges a run of another model"
_NOBODY_SERVES = "nothing may be served now: `lockgate evaluate` trains and judges a model"
_NONE_ADMITTED = "nothing may be served now: `lockgate.admit` refuses until `lockgate judge FLOW/ID` promotes a run"


def waive(
    gate: Annotated[str, typer.Argument(help="The gate, by its name in the policy.")],
    run: Annotated[str, typer.Option(help="The candidate: EvaluateNewModel/ID, or its ID.")],
    reason: options.Reason,
    until: Annotated[
        str, typer.Option(help="When it expires: 2026-12-31, 2026-12-31T18:00, or after a duration: 14d, 12h.")
    ],
    as_json: options.Json = False,
) -> None:
    """Stop one gate from blocking one judged run. An approver's key must sign it; the gate's verdict stays.

    A promotion that depends on the waiver is valid no longer than the waiver itself.
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
            f"this key belongs to {trusted_key.name}, who is not an approver"
            if trusted_key
            else "there is no approver's key to sign with",
            expected=f"the key of {approvers}" if approvers else "a key with role approver in the project's keys",
            hint="`lockgate keys show` shows which key is used; set LOCKGATE_SIGNING_KEY_FILE to use another",
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
    then = f"next: `lockgate judge {entry.event.run}` applies it, with a judge's key if the log is signed"
    show_recorded(log, entry, as_json=as_json, then=[*_other_blocks(log, entry), then])


def _other_blocks(log: Log, entry: LogEntry) -> list[str]:
    """What else blocks the run, by its last judgement. A sealed judgement reveals nothing."""
    from lockgate.gates.judge.waivers import apply_waivers

    judged = next(
        earlier for earlier in log.backwards(start=entry) if earlier.judgement and earlier.event.run == entry.event.run
    )
    decision = judged.read_decision()
    lifted = apply_waivers(decision.outcomes, entry.state, decision.binding, entry.time)
    return [
        f"{outcome.name} says {outcome.verdict} and also blocks it"
        for outcome in lifted.outcomes
        if outcome.severity == "block" and not outcome.waived and outcome.verdict not in ("PASS", "SKIP")
    ]
