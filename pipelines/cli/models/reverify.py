"""`lockgate reverify`: judge the champion again, by today's policy, on fresh rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.cli.models.evaluate import MAKE_OVERRIDES
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import LogEntry
    from lockgate.pipelines.promotion.decide import ReportedDecision
    from lockgate.pipelines.settings.settings import Composed


def reverify(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[as_of=PERIOD]", help="The period to judge on; by default the one after the champion's."
        ),
    ] = None,
    as_json: options.Json = False,
    decision: options.DecisionFile = None,
    report: options.ReportFile = None,
    overrides_from_make: Annotated[bool, typer.Option("--overrides-from-make", hidden=True)] = False,
) -> None:
    """Judge the champion again, alone, by today's policy on fresh rows; renew its promotion or end it.

    PROMOTE: it may be served for as long as the policy says, and is no longer suspect. HOLD: it is no longer served.
    INCONCLUSIVE: this is recorded, and nothing changes. Comparisons are skipped, and no look at the holdout is used up.
    """
    words = list(overrides or [])
    if overrides_from_make:
        words += [line for line in os.environ.get(MAKE_OVERRIDES, "").split("\n") if line]
    for word in words:
        if not word.startswith("as_of="):
            raise SettingsError(
                f"{word[:80]!r} cannot be overridden: the champion is judged by what conf/ says",
                expected="as_of=PERIOD, as in as_of=2013-11",
            )
    from lockgate.pipelines.cli.shared.decision import show_decision as show
    from lockgate.pipelines.cli.shared.project import compose_project

    composed = compose_project(words, need="fresh rows, and a model that lockgate can score")
    reported = reverify_champion(composed, as_of=composed.settings.as_of if words else "")
    raise typer.Exit(show(reported, as_json=as_json, decision_file=decision, report_file=report))


def reverify_champion(composed: Composed, *, as_of: str) -> ReportedDecision:
    """Run Reverify, judge what it scored, and record it. `as_of` empty: the period after the champion's."""
    from lockgate.gates import runs
    from lockgate.gates.lifecycle.reverify import reverify as record
    from lockgate.gates.log.events import ReverifiedEvent
    from lockgate.pipelines.cli.shared.flow_run import check_home, run_flow
    from lockgate.pipelines.promotion.actor import actor, clock
    from lockgate.pipelines.promotion.decide import ReportedDecision
    from lockgate.pipelines.promotion.log import open_log
    from lockgate.pipelines.scoring.rescore_champion import resolve_period

    runs.check_installation()
    check_home()
    log = open_log(composed.settings, writing=True)
    resolve_period(composed.settings, log, as_of)
    log.check_writable(ReverifiedEvent.signed_by, after=log.head())
    run = run_flow("reverify", composed.settings, [f"--as-of={as_of}"])
    runs.keep_run(f"Reverify/{run}")  # an entry must not outlive the run that it refers to
    reverification = record(
        composed.policy, runs.load_claim(f"Reverify/{run}").evidence, log, actor=actor(), clock=clock
    )
    sealed = composed.policy.disclose == "promotion_only"
    decision = reverification.decision.seal() if sealed else reverification.decision
    if reverification.entry is None:
        why = "it was not renewed" if sealed else "it could not be judged"
        return ReportedDecision(decision=decision, entry=None, note=f"nothing was recorded: {why}")
    unsigned = "" if log.keyring.requires_signatures else " (unsigned)"
    note = f"entry {reverification.entry.seq} of the promotion log{unsigned}; {_describe_serving(reverification.entry)}"
    return ReportedDecision(decision=decision, entry=reverification.entry.seq, note=note)


def _describe_serving(entry: LogEntry) -> str:
    """Whether the champion may be served, by the state after the entry."""
    state = entry.state
    assert state.champion is not None  # for the type checker
    until = state.champion.valid_until
    if refusal := state.champion.refusal(entry.time, revoked=state.revoked):
        return f"{refusal}: it is not served; `lockgate rollback` or a new `lockgate evaluate` is next"
    return f"{state.champion.run} may be served" + (f" until {until:%Y-%m-%d %H:%M}" if until else "")
