"""`lockgate demo`: a year of flights, month by month."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipelines.cli.deciding import Reported
    from pipelines.data import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One judgement of the story."""

    challenger: str
    overrides: tuple[str, ...]


STORY = (
    Month(challenger="trained on January to March", overrides=("as_of=2013-04",)),
    Month(challenger="trained on January to June", overrides=("as_of=2013-07",)),
    Month(challenger="trained on January to August", overrides=("as_of=2013-09",)),
    Month(challenger="trained on January to September", overrides=("as_of=2013-10",)),
    Month(challenger="trained on August to October", overrides=("as_of=2013-11", "experiment=fresher_window")),
)
METRIC = "log_loss"


def demo() -> None:
    """Retrain the flights model month by month, judge each, and show what the month after then showed.

    Plays in a directory of its own below .lockgate/demo: no log, tag or prediction of yours is touched.
    """
    where = _own_directory()
    from pipelines import data
    from pipelines.settings import ROOT, compose

    sys.stderr.write(f"playing in {where}\n")
    table = data.load(compose(("data=flights",)).settings.data, root=ROOT)
    _print([_played(month, table) for month in STORY])
    typer.echo(f"\nThe runs, the log and the models are in {where}")


def _own_directory() -> Path:
    """A fresh directory that Metaflow is pointed at, whatever else it is configured with."""
    from datetime import UTC, datetime

    where = Path.cwd() / ".lockgate" / "demo" / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    where.mkdir(parents=True)
    os.environ |= {
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(where),
        "METAFLOW_DEFAULT_DATASTORE": "local",
        "METAFLOW_DEFAULT_METADATA": "local",
    }
    return where


def _played(month: Month, table: Table) -> tuple[str, ...]:
    """A row of the closing table."""
    from pipelines import data
    from pipelines.cli.evaluate import evaluated
    from pipelines.hindsight import next_month
    from pipelines.settings import compose

    composed = compose(("data=flights", "gate=default", "model=xgb", *month.overrides), trusted=True)
    settings = composed.settings
    sys.stderr.write(f"{settings.as_of}: {month.challenger}\n")
    told = evaluated(composed, [], advisory=False)
    bound = told.decision.binding
    if bound.run is None or bound.champion_run is None:
        return (settings.as_of, month.challenger, "none yet", told.decision.verdict, told.decision.reason, "–", "–")
    later = next_month(settings, table, challenger=bound.run, champion=bound.champion_run, metric=METRIC)
    return (
        settings.as_of, month.challenger, _champion_of(told), told.decision.verdict, told.decision.reason, _seen(told),
        f"{data.next_period(settings.as_of)}: {later:+.4f}",
    )  # fmt: skip


def _champion_of(told: Reported) -> str:
    """What the reigning model was judged on, as the state remembers it."""
    state = told.decision.state
    promoted_now = told.decision.verdict == "PROMOTE"
    reigned = state.predecessors[0] if promoted_now and state.predecessors else state.champion
    return f"of {reigned.as_of}" if reigned else "none"


def _seen(told: Reported) -> str:
    """The difference that the gates saw, with its interval."""
    from gates.report import wording

    found = next(one for one in told.decision.outcomes if one.kind == "improvement" and one.metric == METRIC)
    return f"{wording.observed(found)}  ({wording.interval(found)})"


def _print(rows: list[tuple[str, ...]]) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    from gates.outcome import Ruling
    from gates.report.terminal import RULING_STYLES
    from pipelines.cli.printing import console

    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in (
        "holdout", "challenger", "champion", "verdict", "because", f"{METRIC}, challenger − champion", "month after",
    ):  # fmt: skip
        grid.add_column(heading, overflow="fold")
    for as_of, challenger, champion, verdict, because, seen, later in rows:
        styled = Text(verdict, RULING_STYLES[Ruling(verdict)])
        grid.add_row(as_of, challenger, champion, styled, Text(because), seen, later)
    out = console()
    out.print()
    out.print(grid)
    out.print(f"\nA {METRIC} that falls is better: below 0 the challenger would have been the better choice.")
