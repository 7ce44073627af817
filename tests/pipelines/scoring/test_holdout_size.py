"""A holdout that is too small for the policy is refused with what is missing."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lockgate.gates.errors import TooFewRowsError
from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.data import EVERY_ROW, DataSettings, UsedRows, load, split
from lockgate.pipelines.scoring.holdout_size import check_size
from lockgate.pipelines.settings.settings import Composed, compose

ROWS = 2000


@cache
def shipped() -> Composed:
    return compose(
        ("gate=independent_rows", "data=table", *(f"data.{name}=x" for name in ("project", "path", "target")))
    )


def policy(**keys: int) -> Policy:
    return shipped().policy.model_copy(update=keys)


def check(tmp_path: Any, fresh: int, policy: Policy, *, compared: bool = True, **changes: Any) -> str:
    """The line about a table of 2,000 rows, a tenth of them positive and the last `fresh` new; empty if nothing is."""
    frame = {"id": range(ROWS), "who": np.arange(ROWS) // 4, "x": 1.0, "y": np.arange(ROWS) % 10 == 0}
    pd.DataFrame(frame).to_csv(tmp_path / "mine.csv", index=False)
    plain = {"project": "mine", "path": "mine.csv", "target": "y", "key": ["id"], "features": ["x"]}
    data = DataSettings.model_validate(shipped().settings.data.model_dump() | plain | changes)
    table = load(data, root=tmp_path)
    used = UsedRows(hashes=hash_row_ids([str(number) for number in range(ROWS - fresh)]))
    parts = split(table, data, EVERY_ROW, "", used=used)
    try:
        check_size([parts], data, policy, compared=compared)
    except TooFewRowsError as err:
        return str(err)
    return ""


def test_how_many_fresh_rows_are_missing(tmp_path: Any) -> None:
    line = check(tmp_path, 100, policy(min_class_rows=20))
    assert "rows of the rarer class, at least 20 are asked (min_class_rows) @ data.holdout (nothing was" in line
    missing = int(line.split("100 fresh rows are there, about ")[1].split()[0].replace(",", ""))
    assert check(tmp_path, 100 + 2 * missing, policy(min_class_rows=20)) == ""
    assert "more are missing" in check(tmp_path, 100 + missing // 3, policy(min_class_rows=20))


def test_how_many_fresh_clusters_are_missing(tmp_path: Any) -> None:
    rules = policy(min_class_rows=2, min_clusters=60)
    line = check(tmp_path, 200, rules, cluster="who")
    assert "clusters, at least 60 are asked (min_clusters)" in line
    missing = int(line.split("200 fresh rows are there, about ")[1].split()[0].replace(",", ""))
    assert missing == pytest.approx(1000, rel=0.3)  # a cluster carries the metric if it has a positive row
    assert check(tmp_path, 200 + 17 * missing // 10, rules, cluster="who") == ""


def test_enough_is_nothing_to_say(tmp_path: Any) -> None:
    assert check(tmp_path, 1000, policy()) == ""


def test_a_holdout_of_another_kind(tmp_path: Any) -> None:
    line = check(tmp_path, 100, policy(min_class_rows=150), holdout={"kind": "fraction", "share": 0.3})
    assert line.endswith("@ data.holdout (nothing was trained; hold out more rows, or ask for fewer in conf/gate)")
