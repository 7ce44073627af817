"""`make simulate`: every simulation at full size, and docs/simulations.md written from what was measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench.simulations import clusters, counts, coverage, groups, looks
from bench.simulations.table import STANDARD_ERRORS, Table

PAGE = Path(__file__).resolve().parents[2] / "docs/simulations.md"

ABOUT = f"""\
# Simulations: what the gates promise, measured

`make simulate` runs them again and writes this page; a small seeded version of each is among the tests. Replications
are drawn for thousands of holdouts at once and judged by the functions that the engine uses, or by `judge` itself
where the text says so. A rate that is more than {STANDARD_ERRORS:.0f} standard errors of the simulation on the wrong
side of what is asked of it is printed **bold**, and listed here:
"""


def experiments(scale: float = 1.0) -> list[Callable[[], Table]]:
    """Every experiment, the longest first; `scale` is the share of the full number of replications."""

    def runs(full: int) -> int:
        return max(20, round(full * scale))

    return [
        partial(looks.rules, runs=runs(20_000)),
        partial(looks.engine, runs=runs(1_000)),
        partial(looks.probing, runs=runs(20_000)),
        *(partial(coverage.metrics, task=task, runs=runs(20_000)) for task in coverage.SIZES),
        partial(coverage.calibration, runs=runs(4_000)),
        partial(coverage.areas, runs=runs(40_000)),
        counts.shares,
        counts.paired,
        partial(clusters.coverage, runs=runs(40_000)),
        partial(groups.no_proven_harm, runs=runs(10_000)),
        partial(groups.non_inferior, runs=runs(2_000)),
        partial(groups.fairness, runs=runs(4_000)),
        partial(groups.any_of, runs=runs(4_000)),
    ]


def run(experiment: Callable[[], Table]) -> Table:
    """One experiment, in whatever process."""
    started = time.perf_counter()
    found = experiment()
    print(f"{found.title:<44} {time.perf_counter() - started:6.1f} s", flush=True)  # noqa: T201
    return found


def page(tables: Sequence[Table]) -> str:
    """The whole page."""
    short = [
        f"- {table.title}: {line}, {head}: {rate.value:.4g}, asked {rate.side} {rate.asked:.4g}"
        for table in tables
        for line, head, rate in table.short
    ]
    return "\n".join([ABOUT, *(short or ["- none"]), "", *(table.markdown() for table in tables)])


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor() as processes:
        found = list(processes.map(run, [one for one in experiments() if one]))
    PAGE.write_text(page([one for one in found if one.rows]), encoding="utf-8")
