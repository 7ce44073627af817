"""`lockgate selftest`: what this policy says of equal models, planted gains and planted regressions on this data."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.cli.models.evaluate import MAKE_OVERRIDES
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.selftest import Drawn, Rate, Selftest, Sign, Trials

PROGRESS_INTERVAL_S = 0.2
"""Seconds between updates of the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestInput:
    """What the selftest tries, with a description."""

    policy: Policy
    pair: Evidence
    seeds: tuple[Evidence, ...]
    seed: int
    description: str


def selftest(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="Overrides, as for `lockgate evaluate`.")
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            min=20, max=100_000, help="Pairs of equal models to judge; each planted size gets a quarter as many."
        ),
    ] = 200,
    seeds: Annotated[int, typer.Option(min=2, max=50, help="Models to train, each with its own seed.")] = 4,
    evidence: Annotated[Path | None, typer.Option(help="Try this evidence file; nothing is trained.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (YAML) for --evidence; by default the project's.")] = None,
    as_json: options.Json = False,
    overrides_from_make: Annotated[bool, typer.Option("--overrides-from-make", hidden=True)] = False,
) -> None:
    """Try the gates: do they promote equal models, let real gains pass, catch planted regressions? Logs nothing.

    Exit code 0: the gates can pass, can fail, and promote no more equal models than they promise. 1: they do not.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as flows do: spinning threads cost more than they gain
    words = list(overrides or [])
    if overrides_from_make:
        words += [line for line in os.environ.get(MAKE_OVERRIDES, "").split("\n") if line]
    if evidence is None and policy is None:
        tried = _train_equals(words, seeds)
    elif evidence is not None and not words:
        tried = _input_from_file(evidence, policy)
    else:
        expected = "overrides; or --evidence FILE, with --policy FILE unless the project's is tried"
        raise SettingsError("it is not clear what to try", expected=expected)
    raise typer.Exit(_run_and_show(tried, trials, as_json=as_json))


def _train_equals(words: list[str], seeds: int) -> SelftestInput:
    stray = next((word for word in words if "=" not in word), None)
    if stray is not None:
        raise SettingsError(f"{stray[:80]!r} is not an override", expected="group=choice or group.key=value")
    from lockgate.pipelines.cli.shared.project import compose_project
    from lockgate.pipelines.scoring.equal_models import fit_equal_models

    composed = compose_project(words, need="a model and data to train it on, or else --evidence")
    composed.check_fit()
    settings = composed.settings
    trained = fit_equal_models(settings, seeds=seeds, report=_say)
    holdout = f"holdout {trained.pair.facts['as_of']}" if settings.data.holds_out_periods else "its holdout"
    return SelftestInput(
        policy=composed.policy,
        pair=trained.pair,
        seeds=trained.seeds,
        seed=settings.seed,
        description=f"{settings.model.name} on {settings.data.project}, {holdout}",
    )


def _input_from_file(evidence: Path, policy: Path | None) -> SelftestInput:
    """What is in an evidence file, and in a policy file or the project's policy."""
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.cli.models.judge import read_policy_mapping
    from lockgate.pipelines.cli.shared.project import load_policed_project

    parsed = load_policed_project()[1] if policy is None else Policy.parse(read_policy_mapping(policy))
    return SelftestInput(policy=parsed, pair=Evidence.read(evidence), seeds=(), seed=0, description=str(evidence))


def _run_and_show(tried: SelftestInput, trials: int, *, as_json: bool) -> int:
    from datetime import UTC, datetime

    from lockgate.gates.selftest import selftest as run
    from lockgate.pipelines.cli.shared.files import console, print_json

    result = run(
        tried.policy,
        tried.pair,
        trials=trials,
        seeds=tried.seeds,
        seed=tried.seed,
        now=datetime.now(UTC),
        tick=_ticker(),
    )
    if as_json:
        print_json(_as_json(result, tried.description))
    else:
        from lockgate.gates.report.selftest import render

        out = console()
        out.print(f"selftest of the policy: {tried.description}", markup=False)
        out.print(render(result))
        out.print("nothing was logged: planted models do not count as looks at the holdout", markup=False, style="dim")
    return 0 if result.fit else 1


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


def _ticker() -> Callable[[int, int], None]:
    """Show progress while the trials run, if stderr is a terminal, and at the end how long they took."""
    started = last_shown = time.perf_counter()
    live = sys.stderr.isatty()
    cleared = "\r\x1b[K" if live else ""

    def tick(completed: int, total: int) -> None:
        nonlocal last_shown
        now = time.perf_counter()
        if completed == total:
            sys.stderr.write(f"{cleared}  {total:,} judgements in {now - started:.0f} s\n")
        elif live and now - last_shown > PROGRESS_INTERVAL_S:
            last_shown = now
            remaining_s = (now - started) / completed * (total - completed)
            sys.stderr.write(f"{cleared}  {completed:,} of {total:,} judgements, about {remaining_s:.0f} s left")
            sys.stderr.flush()

    return tick


def _as_json(result: Selftest, description: str) -> dict[str, Any]:
    """Everything as JSON values, rates with their intervals."""
    from lockgate.gates.records.outcome import round_to_12_digits

    def rate(observed: Rate) -> dict[str, Any]:
        low, high = (round_to_12_digits(bound) for bound in observed.bounds)
        return {"count": observed.count, "of": observed.total, "low": low, "high": high}

    def trials(series: Trials) -> dict[str, Any]:
        return {
            **asdict(series),
            "gain": round_to_12_digits(series.gain),
            "largest": round_to_12_digits(series.largest),
            "promoted": rate(series.promotion_rate),
            "held": rate(series.hold_rate),
        }

    def drawn(result: Drawn) -> dict[str, Any]:
        rates = ("at_look", "at_5", "plain_at_look", "plain_at_5", "others_at_look", "others_at_5")
        return {
            "drawn": result.title,
            "keeps": result.keeps,
            "destroys": result.destroys,
            "promised": round_to_12_digits(result.promised),
            **{name: rate(value) if (value := getattr(result, name)) else None for name in rates},
        }

    def sign(seen: Sign) -> dict[str, Any]:
        return {**asdict(seen), "value": round_to_12_digits(seen.value), "p": round_to_12_digits(seen.p)}

    kept, destroyed = result.swapped
    return {
        "tried": description,
        "verdict": result.verdict,
        "rows": result.rows,
        "clusters": result.clusters,
        "metric": result.metric,
        "promised": round_to_12_digits(result.promised),
        "equal": {**trials(result.equal), "keeps": kept, "destroys": destroyed},
        "drawn": [drawn(each) for each in result.drawn],
        "signs": [sign(each) for each in result.signs],
        "seeds": trials(result.seeds) if result.seeds else None,
        **{name: [trials(series) for series in getattr(result, name)] for name in ("gains", "regressions", "hidden")},
        "gates": [asdict(gate) for gate in result.gates],
        "once": [asdict(finding) for finding in result.once],
        "left_out": list(result.left_out),
        "undrawn": list(result.undrawn),
        "summary": result.summary,
        "problems": list(result.problems),
        "warnings": list(result.warnings),
    }
