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
    from lockgate.gates.selftest import Rate, Selftest, Trials

SECONDS_BETWEEN = 0.2
"""How often the progress is shown anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What is tried, and what it is in words."""

    policy: Policy
    pair: Evidence
    seeds: tuple[Evidence, ...]
    seed: int
    said: str


def selftest(
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[OVERRIDE]...", help="What to try, as evaluate takes it.")
    ] = None,
    trials: Annotated[
        int, typer.Option(min=20, max=100_000, help="Pairs of equal models; a quarter for each size of a plant.")
    ] = 200,
    seeds: Annotated[int, typer.Option(min=2, max=50, help="Models to train, with as many seeds.")] = 4,
    evidence: Annotated[Path | None, typer.Option(help="Try this evidence file; nothing is trained.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (YAML) for --evidence.")] = None,
    as_json: options.Json = False,
    overrides_from_make: Annotated[bool, typer.Option("--overrides-from-make", hidden=True)] = False,
) -> None:
    """Try the gates: do they promote equal models, let real gains pass, catch planted regressions? Logs nothing.

    Exit code 0: the gates can pass, can fail, and promote no more equal models than they promise. 1: they do not.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as flows do: threads that spin cost more than they bring
    words = list(overrides or [])
    if overrides_from_make:
        words += [line for line in os.environ.get(MAKE_OVERRIDES, "").split("\n") if line]
    if evidence is None and policy is None:
        tried = _trained(words, seeds)
    elif evidence is not None and policy is not None and not words:
        tried = _of_file(evidence, policy)
    else:
        expected = "overrides, or --evidence FILE with --policy FILE and no override"
        raise SettingsError("it is not clear what to try", expected=expected)
    raise typer.Exit(_shown(tried, trials, as_json=as_json))


def _trained(words: list[str], seeds: int) -> _Tried:
    stray = next((word for word in words if "=" not in word), None)
    if stray is not None:
        raise SettingsError(f"{stray[:80]!r} is no override", expected="group=choice or group.key=value")
    from lockgate.pipelines.scoring.equal_models import equals
    from lockgate.pipelines.settings.settings import compose

    composed = compose(words)
    settings = composed.settings
    made = equals(settings, seeds=seeds, say=_say)
    held = f"holdout {settings.as_of}" if settings.data.holdout.kind == "month" else "its holdout"
    return _Tried(
        policy=composed.policy,
        pair=made.pair,
        seeds=made.seeds,
        seed=settings.seed,
        said=f"{settings.model.name} on {settings.data.project}, {held}",
    )


def _of_file(evidence: Path, policy: Path) -> _Tried:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.cli.models.judge import policy_mapping

    parsed = Policy.parse(policy_mapping(policy))
    return _Tried(policy=parsed, pair=Evidence.read(evidence), seeds=(), seed=0, said=str(evidence))


def _shown(tried: _Tried, trials: int, *, as_json: bool) -> int:
    from datetime import UTC, datetime

    from lockgate.gates.selftest import selftest as run
    from lockgate.pipelines.cli.shared.files import console, print_json

    found = run(
        tried.policy,
        tried.pair,
        trials=trials,
        seeds=tried.seeds,
        seed=tried.seed,
        now=datetime.now(UTC),
        tick=_ticker(),
    )
    if as_json:
        print_json(_record(found, tried.said))
    else:
        from lockgate.gates.report.selftest import render

        out = console()
        out.print(f"selftest of the policy: {tried.said}", markup=False)
        out.print(render(found))
        out.print("nothing was logged: what is planted is no look at the holdout", markup=False, style="dim")
    return 0 if found.fit else 1


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


def _ticker() -> Callable[[int, int], None]:
    """Shows how far the trials are, on a terminal as they go; at the end how long they took."""
    started = shown = time.perf_counter()
    live = sys.stderr.isatty()
    cleared = "\r\x1b[K" if live else ""

    def tick(done: int, of: int) -> None:
        nonlocal shown
        now = time.perf_counter()
        if done == of:
            sys.stderr.write(f"{cleared}  {of:,} judgements in {now - started:.0f} s\n")
        elif live and now - shown > SECONDS_BETWEEN:
            shown = now
            left = (now - started) / done * (of - done)
            sys.stderr.write(f"{cleared}  {done:,} of {of:,} judgements, about {left:.0f} s left")
            sys.stderr.flush()

    return tick


def _record(found: Selftest, said: str) -> dict[str, Any]:
    """Everything as JSON values, rates with their intervals."""
    from lockgate.gates.records.outcome import twelve_digits

    def rate(one: Rate) -> dict[str, Any]:
        low, high = (twelve_digits(bound) for bound in one.bounds)
        return {"count": one.count, "of": one.of, "low": low, "high": high}

    def trials(one: Trials) -> dict[str, Any]:
        return {
            **asdict(one),
            "gain": twelve_digits(one.gain),
            "largest": twelve_digits(one.largest),
            "promoted": rate(one.promoted),
            "held": rate(one.held),
        }

    return {
        "tried": said,
        "verdict": found.verdict,
        "rows": found.rows,
        "clusters": found.clusters,
        "metric": found.metric,
        "promised": twelve_digits(found.promised),
        "equal": trials(found.equal),
        "seeds": trials(found.seeds) if found.seeds else None,
        **{name: [trials(one) for one in getattr(found, name)] for name in ("gains", "regressions", "hidden")},
        "gates": [asdict(gate) for gate in found.gates],
        "once": [asdict(one) for one in found.once],
        "left_out": list(found.left_out),
        "summary": found.summary,
        "problems": list(found.problems),
        "warnings": list(found.warnings),
    }
