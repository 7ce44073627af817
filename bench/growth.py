"""How scoring grows: rows, shards, and the memory of one shard. `python -m bench.growth 5 6 7` for powers of ten."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

SHARDS = (1, 2, 4)


def score(task: tuple[str, str, Sequence[int], int]) -> tuple[int, float, int]:
    """In a process of its own, as in a pod: rows scored, seconds without imports, and the most memory used in MB."""
    folder, blob, numbers, batch_rows = task
    from lockgate.pipelines import data
    from lockgate.pipelines.data.settings import FractionHoldout
    from lockgate.pipelines.models import xgb
    from lockgate.pipelines.scoring.measuring import peak_memory_mb
    from lockgate.pipelines.settings.settings import compose

    settings = compose().settings.data.model_copy(
        update={
            "path": "rows.parquet",
            "time": None,
            "key": None,
            "holdout": FractionHoldout(kind="fraction", share=0.3),
        }
    )
    model = xgb.load(Path(blob).read_bytes())
    root, rows, began = Path(folder), 0, time.perf_counter()
    plan = data.planned(settings, "all", root=root, batch_rows=batch_rows)
    pieces = [plan.pieces[number] for number in numbers]
    for window in data.windows(settings, "all", pieces, root=root, batch_rows=batch_rows):
        rows += len(model.score(window.frame))
    return rows, time.perf_counter() - began, peak_memory_mb()


def write(folder: Path, rows: int) -> int:
    """`rows.parquet`: the flights, again and again, in row groups of 30,000; how many groups."""
    import pyarrow.parquet as pq

    from lockgate.pipelines.settings.groups import ROOT

    flights = pq.read_table(ROOT / "data" / "flights.parquet")
    with pq.ParquetWriter(folder / "rows.parquet", flights.schema) as file:
        left = rows
        while left:
            part = flights.slice(0, min(left, flights.num_rows))
            file.write_table(part, row_group_size=30_000)
            left -= part.num_rows
    return int(pq.ParquetFile(folder / "rows.parquet").num_row_groups)


def measure(powers: Sequence[int] = (5, 6)) -> None:
    """One line for each number of rows and shards."""
    import numpy as np

    from lockgate.pipelines import data
    from lockgate.pipelines.models import MODELS, xgb
    from lockgate.pipelines.settings.groups import ROOT
    from lockgate.pipelines.settings.settings import compose

    settings = compose(("model=xgb",)).settings
    whole = data.load(settings.data, root=ROOT)
    known = ~np.isnan(whole.labels)
    params = settings.model.params
    model = xgb.fit(whole.frame[known], whole.labels[known], params=params, task="binary", seed=0)
    batch_rows = settings.platform.batch_rows
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        blob = Path(scratch) / "model.ubj"
        blob.write_bytes(model.to_bytes())
        for power in powers:
            groups = write(Path(scratch), 10**power)
            for shards in SHARDS:
                tasks = [
                    (scratch, str(blob), range(at, groups, shards), batch_rows) for at in range(min(shards, groups))
                ]
                with ProcessPoolExecutor(shards, mp_context=get_context("spawn")) as pool:
                    done = list(pool.map(score, tasks))
                rows, seconds, most = (
                    sum(one[0] for one in done),
                    max(one[1] for one in done),
                    max(one[2] for one in done),
                )
                print(  # noqa: T201
                    f"score 10^{power} rows in {shards} shards {rows / seconds:12,.0f} rows/s"
                    f"   {seconds:8.1f} s   at most {most:5,} MB a shard"
                )


if __name__ == "__main__":
    measure([int(word) for word in sys.argv[1:]] or (5, 6))
