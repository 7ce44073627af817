"""`lockgate waive`: an approver lifts one gate for one candidate, for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gates.errors import SigningError
from pipelines.cli import options

if TYPE_CHECKING:
    from gates.log import Entry, Log


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
    from gates import lifecycle
    from pipelines.acting import actor, clock
    from pipelines.cli.dates import moment
    from pipelines.cli.project import project_log
    from pipelines.cli.recording import tell

    log = project_log(writing=True)
    signer = log.signer
    held = log.keyring.keys.get(signer.fingerprint) if signer else None
    if held is None or held.role != "approver":
        approvers = ", ".join(one.name for one in log.keyring.keys.values() if one.role == "approver")
        raise SigningError(
            f"this key is {held.name}'s, who is no approver" if held else "there is no key of an approver to sign with",
            expected=f"the key of {approvers}" if approvers else "a key with role approver in conf/platform",
            hint="`lockgate keys show` says which key is used; LOCKGATE_SIGNING_KEY_FILE names another",
        )
    entry = lifecycle.waive(
        log, gate, run=run, reason=reason, until=moment(until, now=clock(), where="--until"), actor=actor(), clock=clock
    )
    then = f"next: `lockgate judge {entry.event.run}`, with a judge's key where the log is signed, counts it"
    tell(log, entry, as_json=as_json, then=[*_blocking(log, entry), then])


def _blocking(log: Log, entry: Entry) -> list[str]:
    """What blocks the run besides, as it was judged last; nothing is told of a judgement that is sealed."""
    from gates.waivers import lift

    judged = next(one for one in log.backwards(start=entry) if one.judged and one.event.run == entry.event.run)
    decision = judged.decided()
    lifted = lift(decision.outcomes, entry.state, decision.binding, entry.time)
    return [
        f"{one.name} says {one.verdict} and blocks it too" for one in lifted.outcomes
        if one.severity == "block" and not one.waived and one.verdict not in ("PASS", "SKIP")
    ]  # fmt: skip
