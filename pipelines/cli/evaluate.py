"""`lockgate evaluate`: train, evaluate, judge, and promote what passes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gates.errors import SettingsError, StaleError
from pipelines.cli import options

if TYPE_CHECKING:
    from pipelines.cli.deciding import Reported
    from pipelines.settings import Composed

MAKE_OVERRIDES = "LOCKGATE_MAKE_OVERRIDES"
ATTEMPTS = 3


def evaluate(
    context: typer.Context,
    advisory: Annotated[bool, typer.Option("--advisory", help="Judge only: write no log and no tag.")] = False,
    as_json: options.Json = False,
    decision: options.DecisionFile = None,
    report: options.ReportFile = None,
    overrides_from_make: Annotated[bool, typer.Option("--overrides-from-make", hidden=True)] = False,
) -> None:
    """Train a model, score it beside the champion, judge it, and promote it where every gate passes.

    Takes overrides (model=xgb model.max_depth=4 as_of=2013-10) and any option of Metaflow's `run` (--with card).
    """
    overrides, words = _sorted(context.args)
    if overrides_from_make:
        overrides += [line for line in os.environ.get(MAKE_OVERRIDES, "").split("\n") if line]
    from pipelines.cli.deciding import report as show
    from pipelines.settings import compose

    composed = compose(overrides)
    told = evaluated(composed, words, advisory=advisory)
    raise typer.Exit(show(told, as_json=as_json, decision_file=decision, report_file=report))


def evaluated(composed: Composed, words: list[str], *, advisory: bool) -> Reported:
    """Run EvaluateNewModel and judge it; where the champion has changed meanwhile, again, at most three times."""
    from gates import runs
    from pipelines.cli.deciding import decide_and_log, decide_only
    from pipelines.cli.flow_run import run_flow
    from pipelines.promotion_log import open_log

    runs.check_installation()
    log = open_log(composed.settings, writing=not advisory and not composed.guarded)
    log.head()
    why = "this is advisory" if advisory else ""
    if composed.guarded:
        why = f"the override {composed.guarded[0]} changes what the gates' owners decide"
    for attempt in range(1, ATTEMPTS + 1):
        run_id = run_flow("evaluate", composed.settings.to_json(), words, meanwhile=_preload)
        evidence = runs.claim(f"EvaluateNewModel/{run_id}").evidence
        try:
            if why:
                return decide_only(composed.policy, evidence, log, why=why)
            return decide_and_log(composed.policy, evidence, log)
        except StaleError as err:
            if attempt == ATTEMPTS:
                raise
            sys.stderr.write(f"  {err}; evaluating again\n")
    raise AssertionError("unreachable")


def _preload() -> None:
    """What judging needs, imported while the flow trains."""
    import gates.engine
    import gates.promotion
    import gates.report.terminal  # noqa: F401


def _sorted(words: list[str]) -> tuple[list[str], list[str]]:
    """Overrides, and words for Metaflow: options, each with the value that follows it."""
    overrides: list[str] = []
    options_of_run: list[str] = []
    for at, word in enumerate(words):
        follows_option = at > 0 and words[at - 1].startswith("--") and "=" not in words[at - 1]
        if word.startswith("-") or follows_option:
            options_of_run.append(word)
        elif "=" in word:
            overrides.append(word)
        else:
            raise SettingsError(f"{word[:80]!r} is no override", expected="group=choice, group.key=value or an option")
    return overrides, options_of_run
