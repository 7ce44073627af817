"""`make simulate`: run every simulation at full size and write the results to docs/simulations.md."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bench.simulations import clusters, counts, coverage, groups, growing, looks, selftest, situations
from bench.simulations.table import STANDARD_ERRORS, ResultTable

PAGE = Path(__file__).resolve().parents[2] / "docs/simulations.md"

TITLE = "# Simulations: what the gates promise, measured"
ABOUT = f"""
`make simulate` runs them again and writes this page; a small seeded version of each is among the tests. Replications
are drawn for thousands of holdouts at once and judged by the functions that the engine uses, or by `judge` itself where
the text says so.

First come the situations in which a user can be fooled, and what no rows can show. Looks keep their error rate there,
and paired differences, which decide promotions, very nearly theirs. Intervals of one model fall short where rows,
positive rows or queries are few and the metric is skewed or bounded: leave a limit some room there, or ask for a
difference to the champion.

A rate that is more than {STANDARD_ERRORS:.0f} standard errors of the simulation on the wrong side of what is asked of
it is printed **bold**, and listed here:
"""


EXPERIMENTS: tuple[Callable[[], ResultTable], ...] = (
    partial(situations.situations, runs=20_000),
    partial(situations.looks_in_order, runs=20_000),
    partial(selftest.selftests, runs=200),
    partial(looks.rules, runs=20_000),
    partial(looks.engine, runs=400),
    partial(growing.tables_that_grow, runs=400),
    partial(looks.probing, runs=20_000),
    partial(coverage.metrics, task="binary", runs=20_000),
    partial(coverage.metrics, task="multiclass", runs=10_000),
    partial(coverage.metrics, task="regression", runs=10_000),
    partial(coverage.metrics, task="ranking", runs=10_000),
    partial(coverage.metrics, task="score", runs=10_000),
    partial(coverage.calibration, runs=4_000),
    partial(coverage.areas, runs=40_000),
    counts.shares,
    counts.compare_pairs,
    partial(clusters.cluster_coverage, runs=20_000),
    partial(groups.no_proven_harm, runs=10_000),
    partial(groups.non_inferior, runs=2_000),
    partial(groups.fairness, runs=4_000),
    partial(groups.any_of, runs=4_000),
)
"""Every experiment at full size, in the order of the page: about an hour on two cores that do other work as well."""


def run(experiment: Callable[[], ResultTable]) -> ResultTable:
    """Run one experiment and print how long it took."""
    started = time.perf_counter()
    table = experiment()
    print(f"{table.title:<44} {time.perf_counter() - started:6.1f} s", flush=True)  # noqa: T201
    return table


def render_simulations(tables: Sequence[ResultTable]) -> str:
    """The whole page."""
    short = [line for table in tables for line in table.short]
    return (
        "\n".join([TITLE, ABOUT, *(short or ["- none"]), "", *(table.markdown() for table in tables)]).rstrip() + "\n"
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor() as processes:
        tables = list(processes.map(run, EXPERIMENTS))
    PAGE.write_text(render_simulations(tables), encoding="utf-8")
