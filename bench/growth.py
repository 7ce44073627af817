"""How scoring grows with rows and shards, and the memory of one shard.

python -m bench.growth 5 6 7   # for 10^5, 10^6 and 10^7 rows
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

SHARDS = (1, 2, 4)


def score_shard(task: tuple[str, str, Sequence[int], int]) -> tuple[int, float, int]:
    """Score in a process of its own, as in a pod: rows, seconds without imports, and peak memory in MB."""
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
    plan = data.plan_window(settings, "all", root=root, batch_rows=batch_rows)
    pieces = [plan.pieces[number] for number in numbers]
    for window in data.read_window(settings, "all", pieces, root=root, batch_rows=batch_rows):
        rows += len(model.score(window.frame))
    return rows, time.perf_counter() - began, peak_memory_mb()


def write_rows(folder: Path, rows: int) -> int:
    """Write `rows.parquet`, the flights repeated in row groups of 30,000. Returns the number of groups."""
    import pyarrow.parquet as pq

    from lockgate.pipelines.settings.groups import ROOT

    flights = pq.read_table(ROOT / "data" / "flights.parquet")
    with pq.ParquetWriter(folder / "rows.parquet", flights.schema) as file:
        rows_left = rows
        while rows_left:
            part = flights.slice(0, min(rows_left, flights.num_rows))
            file.write_table(part, row_group_size=30_000)
            rows_left -= part.num_rows
    return int(pq.ParquetFile(folder / "rows.parquet").num_row_groups)


def measure(powers: Sequence[int] = (5, 6)) -> None:
    """Print one line for each number of rows and shards."""
    import numpy as np

    from lockgate.pipelines import data
    from lockgate.pipelines.models import xgb
    from lockgate.pipelines.settings.groups import ROOT
    from lockgate.pipelines.settings.settings import compose

    settings = compose(("model=xgb",)).settings
    whole = data.load(settings.data, root=ROOT)
    labelled = ~np.isnan(whole.labels)
    params = settings.model.params
    model = xgb.fit(whole.frame[labelled], whole.labels[labelled], params=params, task="binary", seed=0)
    batch_rows = settings.platform.batch_rows
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        blob = Path(scratch) / "model.ubj"
        blob.write_bytes(model.to_bytes())
        for power in powers:
            groups = write_rows(Path(scratch), 10**power)
            for shards in SHARDS:
                tasks = [
                    (scratch, str(blob), range(shard, groups, shards), batch_rows)
                    for shard in range(min(shards, groups))
                ]
                with ProcessPoolExecutor(shards, mp_context=get_context("spawn")) as pool:
                    results = list(pool.map(score_shard, tasks))
                rows, seconds, peak_mb = (
                    sum(result[0] for result in results),
                    max(result[1] for result in results),
                    max(result[2] for result in results),
                )
                print(  # noqa: T201
                    f"score 10^{power} rows in {shards} shards {rows / seconds:12,.0f} rows/s"
                    f"   {seconds:8.1f} s   at most {peak_mb:5,} MB a shard"
                )


if __name__ == "__main__":
    measure([int(word) for word in sys.argv[1:]] or (5, 6))
