"""`lockgate evaluate`: train, evaluate, judge, and promote what passes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import SettingsError, StaleError, TooFewRowsError
from lockgate.pipelines.cli.shared import options
from lockgate.pipelines.cli.shared.decision import StatementFile, attest

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.pipelines.promotion.decide import ReportedDecision
    from lockgate.pipelines.settings.settings import Composed

MAKE_OVERRIDES = "LOCKGATE_MAKE_OVERRIDES"
MAX_ATTEMPTS = 3


def evaluate(
    context: typer.Context,
    advisory: Annotated[bool, typer.Option("--advisory", help="Judge only: write no log and no tag.")] = False,
    as_json: options.Json = False,
    decision: options.DecisionFile = None,
    report: options.ReportFile = None,
    statement: StatementFile = None,
    output: options.OutputFile = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Score beside the champion in this bundle; advice only, the log is not read.")
    ] = None,
    overrides_from_make: Annotated[bool, typer.Option("--overrides-from-make", hidden=True)] = False,
) -> None:
    """Train a model, score it beside the champion, judge it, and promote it if every gate passes.

    Takes overrides (model=xgb model.max_depth=4 as_of=2013-10) and any option of Metaflow's `run` (--with card).
    """
    overrides, words = _split_words(context.args)
    if overrides_from_make:
        overrides += [line for line in os.environ.get(MAKE_OVERRIDES, "").split("\n") if line]
    from lockgate.gates.report import markdown
    from lockgate.pipelines.cli.shared.decision import show_decision as show
    from lockgate.pipelines.cli.shared.files import append_text
    from lockgate.pipelines.cli.shared.project import compose_project

    composed = compose_project(overrides, need="a model and data to train it on")
    try:
        evaluation = run_and_judge(composed, words, advisory=advisory, bundle=bundle)
    except TooFewRowsError as err:
        if report:  # there is no decision to write, but whoever reads the report asks why
            append_text(report, f"{markdown.escape(str(err))}\n")
        raise
    if statement:
        attest(
            statement,
            evaluation.reported,
            policy=composed.policy,
            evidence=evaluation.evidence,
            on_record=not evaluation.why,
            log=evaluation.log,
        )
    reported = evaluation.reported
    raise typer.Exit(show(reported, as_json=as_json, decision_file=decision, report_file=report, output_file=output))


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedRun:
    """What was reported, on which evidence, by which log. `why`: why it is only advice; empty if it counts."""

    reported: ReportedDecision
    evidence: Evidence
    log: Log
    why: str


def run_and_judge(composed: Composed, words: list[str], *, advisory: bool, bundle: Path | None = None) -> EvaluatedRun:
    """Run EvaluateNewModel and judge it; again, at most three times in all, if the champion changed meanwhile.

    With `bundle`, the challenger is compared with the champion in the bundle, and neither the log nor the datastore is
    asked for one.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.flow_run import check_home, run_flow
    from lockgate.pipelines.promotion.decide import check_run_servable, decide_and_log, decide_only
    from lockgate.pipelines.promotion.log import open_log

    runs.check_installation()
    check_home()
    composed.check_fit()
    why = "this is advisory" if advisory else ""
    if composed.guarded:
        why = f"the override {composed.guarded[0]} changes what the gates' owners decide"
    if bundle is not None:
        log, why = _open_bundle(composed, bundle)
    else:
        log = open_log(composed.settings, writing=not why)
        log.head()
    words = [
        *words,
        f"--bundle={bundle.absolute() if bundle else ''}",
    ]  # always passed, or the environment could set it
    for attempt in range(1, MAX_ATTEMPTS + 1):
        run_id = run_flow("evaluate", composed.settings, words, policy=composed.policy, meanwhile=_preload)
        evidence = runs.load_claim(f"EvaluateNewModel/{run_id}").evidence
        try:
            if why:
                reported = decide_only(composed.policy, evidence, log, why=why)
            else:
                check_run_servable(composed.settings, evidence, f"EvaluateNewModel/{run_id}")
                reported = decide_and_log(composed.policy, evidence, log)
            return EvaluatedRun(reported=reported, evidence=evidence, log=log, why=why)
        except StaleError as err:
            if attempt == MAX_ATTEMPTS:
                raise
            sys.stderr.write(f"  {err}; evaluating again\n")
    raise AssertionError("unreachable")


def _open_bundle(composed: Composed, path: Path) -> tuple[Log, str]:
    """The log inside a bundle, verified, and why a judgement by it is only advice."""
    from lockgate.pipelines.promotion import bundle
    from lockgate.pipelines.promotion.actor import clock

    contents = bundle.read_trusted_bundle(path, composed.settings)
    signed = "" if contents.log.keyring.requires_signatures else ", unsigned"
    why = f"the champion comes from a bundle (entry {contents.head.seq}, {contents.head.time:%Y-%m-%d}{signed})"
    if refusal := contents.refusal(clock()):
        sys.stderr.write(f"  {refusal}; the comparison uses it anyway\n")
    return contents.log, why


def _preload() -> None:
    """Import what judging needs while the flow trains."""
    import lockgate.gates.judge.engine
    import lockgate.gates.lifecycle.commit
    import lockgate.gates.report.terminal  # noqa: F401


def _split_words(words: list[str]) -> tuple[list[str], list[str]]:
    """Split into overrides, and Metaflow's options with the values that follow them."""
    overrides: list[str] = []
    options_of_run: list[str] = []
    for index, word in enumerate(words):
        follows_option = index > 0 and words[index - 1].startswith("--") and "=" not in words[index - 1]
        if word.startswith("-") or follows_option:
            options_of_run.append(word)
        elif "=" in word:
            overrides.append(word)
        else:
            raise SettingsError(
                f"{word[:80]!r} is not an override", expected="group=choice, group.key=value or an option"
            )
    return overrides, options_of_run
