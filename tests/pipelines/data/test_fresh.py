"""Rows that earlier runs did not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lockgate import Evidence, Policy, State, judge
from lockgate.gates.errors import DataError, TooFewRowsError
from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.pipelines.data import EVERY_ROW, Split, Table, UsedRows, split
from lockgate.pipelines.data.fresh import find_fresh_rows, read_largest

ROWS = {
    "id": [f"r{number}" for number in range(8)],
    "batch": [1, 1, 2, 2, 3, 3, 10, 10],
    "day": pd.date_range("2024-01-30", periods=8, freq="D"),
    "x": np.arange(8.0),
    "y": [0, 1, 0, 1, 0, 1, 0, None],
}
NOTHING = np.empty(0, np.uint64)


def fresh(share: float = 0.5, by: str | None = None, **changes: Any) -> dict[str, Any]:
    return {"key": ["id"], "features": ["x"], "holdout": {"kind": "fresh", "share": share, "by": by}} | changes


def fresh_ids(table: Table, data: Any, used: UsedRows | None) -> str:
    """The digits of the ids of the fresh rows."""
    return "".join(name[1:] for name in table.row_ids[find_fresh_rows(table, data, used)])


@pytest.mark.parametrize(
    ("changes", "used", "remaining"),
    [
        (fresh(), None, "01234567"),
        (fresh(), UsedRows(hashes=hash_row_ids(["r0", "r6", "other"])), "123457"),
        (fresh(by="batch"), UsedRows(hashes=NOTHING, largest=(2.0,)), "4567"),
        (fresh(by="batch"), UsedRows(hashes=NOTHING, largest=(2.0, 3.0)), "67"),  # not "10" before "2", as text would
        (fresh(by="batch"), UsedRows(hashes=hash_row_ids(["r7"]), largest=(2.0,)), "456"),
        (fresh(by="day"), UsedRows(hashes=NOTHING, largest=("2024-02-01T12:00:00Z",)), "34567"),
        (fresh(time="day"), UsedRows(hashes=NOTHING, largest=("2024-01",)), "234567"),
        (fresh(time="day", period="day"), UsedRows(hashes=NOTHING, largest=("2024-W05",)), "67"),  # weeks until now
        (fresh(time="day", zone="Asia/Tokyo"), UsedRows(hashes=NOTHING, largest=("2024-01",)), "234567"),
        (fresh(by="batch"), UsedRows(hashes=NOTHING, largest=("2024-01-01T00:00:00Z",)), ""),  # a column of times then
        (fresh(by="day"), UsedRows(hashes=NOTHING, largest=(3.0,)), ""),
    ],
)
def test_which_rows_are_fresh(loaded, declared, changes, used, remaining: str) -> None:
    assert fresh_ids(loaded(ROWS, **changes), declared(**changes), used) == remaining


@pytest.mark.parametrize(
    ("changes", "by", "largest"),
    [
        (fresh(), None, None),
        (fresh(by="batch"), "batch", 10.0),
        (fresh(by="day"), "day", "2024-02-05T00:00:00.000000Z"),  # the last row has no outcome: it is not a run's row
        (fresh(time="day"), "day", "2024-02"),
        (fresh(time="day", period="day", zone="America/New_York"), "day", "2024-02-05"),
    ],
)
def test_what_a_run_records_makes_its_rows_used(loaded, declared, changes, by, largest) -> None:
    """The next run reads it back, and none of this run's rows is fresh to it, but for the row without an outcome."""
    table, data = loaded(ROWS, **changes), declared(**changes)
    parts = split(table, data, EVERY_ROW, "")
    assert parts.freshness is not None
    fact = parts.freshness.to_fact()
    assert fact == {"by": by, "largest": largest, "rows": 7}
    run_rows = [*parts.train_row_ids, *parts.row_ids]
    recorded = read_largest(fact, data)
    assert recorded == largest
    used = (
        UsedRows(hashes=hash_row_ids(run_rows)) if recorded is None else UsedRows(hashes=NOTHING, largest=(recorded,))
    )
    assert fresh_ids(table, data, used) == ("" if largest in (10.0, "2024-02") else "7")


def test_old_rows_train_and_the_share_of_fresh_rows_does_not_move(loaded, declared) -> None:
    """As the table grows, a row that is held out stays so until it is used, and then trains."""
    many = {"id": range(400), "x": range(400), "y": [0, 1] * 200}
    table, data = loaded(many, **fresh()), declared(**fresh())
    first = split(table, data, EVERY_ROW, "")
    assert len(first.row_ids) == pytest.approx(200, abs=30)
    used = UsedRows(hashes=hash_row_ids([str(number) for number in range(300)]))
    second = split(table, data, EVERY_ROW, "", used=used)
    assert set(second.row_ids) == {row for row in first.row_ids if int(row) >= 300}
    assert set(second.train_row_ids) | set(second.row_ids) == set(table.row_ids)
    assert second.freshness is not None
    assert second.freshness.rows == 100


def test_no_cluster_of_fresh_rows_is_divided(loaded, declared) -> None:
    table = loaded(
        {"id": range(300), "who": np.repeat(range(50), 6), "x": 1.0, "y": [0, 1] * 150}, **fresh(), cluster="who"
    )
    parts = split(table, declared(**fresh(), cluster="who"), EVERY_ROW, "")
    assert parts.clusters is not None
    assert all((parts.clusters == who).sum() == 6 for who in set(parts.clusters))


def test_nothing_is_fresh(loaded, declared) -> None:
    used = UsedRows(hashes=hash_row_ids(ROWS["id"][:7]))
    with pytest.raises(TooFewRowsError) as caught:
        split(loaded(ROWS, **fresh()), declared(**fresh()), EVERY_ROW, "", used=used)
    assert str(caught.value) == (
        "no fresh row with an outcome is there to hold out: of 7 rows with an outcome, 0 are fresh; expected rows that"
        " the champion's run did not have @ data.holdout (nothing was trained; evaluate again when the table has grown)"
    )


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        (fresh(), {"by": None, "largest": None, "rows": 3}),
        (fresh(by="batch"), {"by": "day", "largest": 3.0}),
        (fresh(by="batch"), {"by": "batch", "largest": True}),
        (fresh(by="batch"), {"by": "batch", "largest": "2024-01"}),  # the name of a period, of a column of time
        (fresh(time="day"), {"by": "day", "largest": "2024-01-01T00:00:00Z"}),
        (fresh(time="day"), {"by": "day", "largest": 7}),
        (fresh(by="batch"), "batch 3"),
        (fresh(by="batch"), None),
    ],
)
def test_a_fact_that_says_nothing_of_the_declared_column(declared, changes, fact: Any) -> None:
    assert read_largest(fact, declared(**changes)) is None


def test_a_batch_without_its_number(loaded) -> None:
    with pytest.raises(DataError, match=r"column 'batch' is missing in 2 rows; .* @ data.holdout.by"):
        loaded(ROWS | {"batch": [1, None, None, 2, 3, 4, 5, 6]}, **fresh(by="batch"))


def test_used_rows_travel_as_json() -> None:
    used = UsedRows(hashes=np.array([3, 2**64 - 1], np.uint64), largest=(3.0, "2024-01"))
    again = UsedRows.parse(used.to_plain())
    np.testing.assert_array_equal(again.hashes, used.hashes)
    assert again.largest == used.largest
    for wrong in (
        None,
        [],
        {},
        {"hashes": "AAA=", "largest": []},
        {"hashes": "?", "largest": []},
        {"hashes": "", "largest": [None]},
    ):
        with pytest.raises(DataError, match="the rows that earlier runs had cannot be read"):
            UsedRows.parse(wrong)


@pytest.mark.parametrize(("claim", "verdict"), [("what the run had", "PROMOTE"), ("nothing", "INCONCLUSIVE")])
def test_a_run_that_lies_about_its_rows_gains_nothing(loaded, declared, claim: str, verdict: str) -> None:
    """A champion was replaced on the first 400 rows. The log knows them again, whatever the run says it had."""
    many = {"id": range(800), "x": range(800), "y": [0, 1] * 400}
    old = loaded({name: values[:400] for name, values in many.items()}, **fresh())
    new = loaded(many, **fresh())
    policy = Policy.parse(
        {
            "if_no_champion": "absolute_only",
            "confidence": 0.95,
            "clusters": "if_present",
            "min_clusters": 2,
            "min_class_rows": 2,
            "serial_dependence": "if_ordered",
            "disclose": "all",
            "valid_for": "90d",
            "schedule": {"kind": "fixed", "looks": 2},
            "checks": {"gain": {"kind": "improvement", "metric": "accuracy", "margin": 0}},
        }
    )

    def judge_better(parts: Split, state: State) -> Any:
        chance = np.random.default_rng(1).random(len(parts.labels))
        rows = {"label": parts.labels, "row_id": parts.row_ids}
        return judge(policy, Evidence.from_arrays(**rows, challenger=parts.labels, champion=chance), state)

    first = split(old, declared(**fresh()), EVERY_ROW, "")
    replaced = judge_better(first, State(salt="s"))
    assert replaced.verdict == "PROMOTE"
    run_hashes = hash_row_ids([*first.train_row_ids, *first.row_ids])
    used = UsedRows(hashes=run_hashes) if claim == "what the run had" else None
    decision = judge_better(split(new, declared(**fresh()), EVERY_ROW, "", used=used), replaced.state)
    assert decision.verdict == verdict
    assert ("this holdout is retired" in decision.outcomes[0].message) == (claim == "nothing")
