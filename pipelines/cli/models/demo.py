"""`lockgate demo`: a year of flights, month by month."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lockgate.gates.records.outcome import Outcome
    from lockgate.pipelines.data import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One judgement of the story."""

    trained_on: str
    overrides: tuple[str, ...]


STORY = (
    Month(trained_on="Jan–Mar", overrides=("as_of=2013-04",)),
    Month(trained_on="Jan–Jun", overrides=("as_of=2013-07",)),
    Month(trained_on="Jan–Aug", overrides=("as_of=2013-09",)),
    Month(trained_on="Jan–Sep", overrides=("as_of=2013-10",)),
    Month(trained_on="Aug–Oct", overrides=("as_of=2013-11", "experiment=fresher_window")),
)
METRIC = "log_loss"
MONTHS = 3
"""How many months a gate over periods would have looked at."""


def demo() -> None:
    """Retrain the flights model month by month, judge each, and show what the month after then showed.

    A second table shows what a gate of kind periods would have said: for that, seven more models are trained.
    Runs in its own directory below .lockgate/demo: your log, tags and predictions are not touched.
    """
    from lockgate.pipelines.settings.scope import find_conf

    conf = find_conf(need="the models of conf/ and the flights")
    where = _own_directory()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as flows do: spinning threads cost more than they gain
    from lockgate.pipelines import data
    from lockgate.pipelines.settings.settings import compose

    sys.stderr.write(f"running in {where}\n")
    table = data.load(compose(("data=flights",), conf=conf).settings.data, root=conf.parent)
    windows: dict[str | None, str] = {None: "none yet"}
    played = [_play_month(month, table, windows) for month in STORY]
    _print(played)
    _print_periods(played)
    typer.echo(f"\nThe runs, the log and the models are in {where}")


def _own_directory() -> Path:
    """A fresh directory, which Metaflow uses instead of its configured stores."""
    from datetime import UTC, datetime

    where = Path.cwd() / ".lockgate" / "demo" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    where.mkdir(parents=True)
    os.environ |= {
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(where),
        "METAFLOW_DEFAULT_DATASTORE": "local",
        "METAFLOW_DEFAULT_METADATA": "local",
    }
    return where


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of a judgement."""

    as_of: str
    trained_on: str
    champion: str
    verdict: str
    reason: str
    observed: str
    later: str
    periods: tuple[Outcome, Outcome] | None  # of `require: every` and `require: mean`; None without a champion


def _play_month(month: Month, table: Table, windows: dict[str | None, str]) -> Played:
    """Play one month. `windows`: training months by run."""
    from lockgate.gates.policy.policy import SingleSchedule
    from lockgate.pipelines import data
    from lockgate.pipelines.cli.models.evaluate import run_and_judge
    from lockgate.pipelines.scoring.hindsight import next_month
    from lockgate.pipelines.scoring.month_by_month import judge_months
    from lockgate.pipelines.settings.settings import compose

    composed = compose(("data=flights", "gate=default", "model=xgb", *month.overrides), trusted=True)
    settings = composed.settings
    sys.stderr.write(f"{settings.as_of}, trained on {month.trained_on}\n")
    decision = run_and_judge(composed, [], advisory=False).reported.decision
    bound = decision.binding
    windows[bound.run] = month.trained_on
    observed = later = "–"
    periods = None
    if bound.run and bound.champion_run:
        observed = next(
            (
                _describe_gain(outcome)
                for outcome in decision.outcomes
                if outcome.kind == "improvement" and outcome.metric == METRIC
            ),
            "–",
        )
        difference = next_month(settings, table, challenger=bound.run, champion=bound.champion_run, metric=METRIC)
        later = f"{data.next_period(settings.as_of, settings.data.period)}: {_gain(difference):+.4f}"
        periods = judge_months(
            settings,
            table,
            composed.policy.model_copy(update={"schedule": SingleSchedule(kind="single")}),
            challenger=bound.run,
            champion=bound.champion_run,
            months=MONTHS,
            metric=METRIC,
            margin=0.0,
            report=_say,
        )
    return Played(
        as_of=settings.as_of,
        trained_on=month.trained_on,
        champion=windows[bound.champion_run],
        verdict=decision.verdict,
        reason=decision.reason,
        observed=observed,
        later=later,
        periods=periods,
    )


def _say(message: str, /, **_: object) -> None:
    sys.stderr.write(f"  {message}\n")


def _describe_gain(outcome: Outcome) -> str:
    """The gain that a gate observed, with its bounds and their one-sided level."""
    if outcome.observed is None or outcome.low is None or outcome.high is None:
        return "–"
    low, high = _gain(outcome.high), _gain(outcome.low)
    return f"{_gain(outcome.observed):+.4f} ({low:+.4f} … {high:+.4f} at {outcome.level:g})"


def _gain(difference: float) -> float:
    """Of challenger − champion in a loss: above 0 is better."""
    return -difference + 0.0


def _print(played: list[Played]) -> None:
    from rich.text import Text

    from lockgate.gates.records.outcome import Ruling
    from lockgate.gates.report.tables import make_table
    from lockgate.gates.report.terminal import RULING_STYLES
    from lockgate.pipelines.cli.shared.files import console

    grid = make_table(
        "holdout", "challenger", "champion", "verdict", "because", f"gain in {METRIC} (bounds)", "gain, month after"
    )
    for month in played:
        styled = Text(month.verdict, RULING_STYLES[Ruling(month.verdict)])
        grid.add_row(
            month.as_of, month.trained_on, month.champion, styled, Text(month.reason), month.observed, month.later
        )
    out = console()
    out.print()
    out.print(grid)
    out.print("\nA gain above 0 says that the challenger is better than the champion.")


def _print_periods(played: list[Played]) -> None:
    """What a gate over the last months would have said of each judgement that had a champion."""
    from rich.text import Text

    from lockgate.gates.report.tables import make_table
    from lockgate.gates.report.terminal import VERDICT_STYLES
    from lockgate.pipelines.cli.shared.files import console

    grid = make_table(
        "holdout", f"gain in {METRIC}, month by month", "every", "mean", "mean gain (bounds)", "gain, month after"
    )
    for month in played:
        if month.periods is None:
            continue
        every, mean = month.periods
        grid.add_row(
            month.as_of,
            ", ".join(f"{part.name[5:]}: {_gain(part.observed or 0.0):+.4f}" for part in mean.parts),
            Text(every.verdict, VERDICT_STYLES[every.verdict]),
            Text(mean.verdict, VERDICT_STYLES[mean.verdict]),
            _describe_gain(mean),
            month.later,
        )
    out = console()
    gate = f"{{kind: periods, metric: {METRIC}, margin: 0, min_periods: {MONTHS}}}"
    out.print(f"\nWhat {gate} would have said, at one look (.95) each:", markup=False)
    out.print(grid)
    out.print("\nEach month is predicted by the challenger's model, trained before it, and by the champion.")
