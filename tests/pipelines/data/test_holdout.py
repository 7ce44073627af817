# ruff: noqa: E501 - error lines are written out as users see them
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import EVERY_ROW, DataSettings, list_periods, load, split

MONTHS = {
    "when": [f"2013-{m:02d}-15" for m in range(1, 7)],
    "x": range(6),
    "c": list("ababab"),
    "y": [0, 1, 0, 1, 0, 1],
}
BY_MONTH = {"time": "when", "holdout": {"kind": "period"}}
HALF = {"kind": "fraction", "share": 0.5}


def test_training_ends_where_the_holdout_begins(loaded, declared) -> None:
    table = loaded(MONTHS, **BY_MONTH)
    settings = declared(**BY_MONTH)
    parts = split(table, settings, EVERY_ROW, "2013-04")
    assert (parts.train_row_ids.tolist(), parts.row_ids.tolist()) == (["0", "1", "2"], ["3"])
    parts = split(table, settings, EVERY_ROW.model_copy(update={"periods": 2, "columns": ("x",)}), "2013-04")
    assert (parts.train_row_ids.tolist(), list(parts.train), list(parts.holdout)) == (["1", "2"], ["x"], ["x", "c"])


def test_rows_without_outcome_are_counted(loaded, declared) -> None:
    table = loaded(
        MONTHS | {"y": [0, 1, None, None, 1, 1], "when": [*MONTHS["when"][:3], *["2013-04-01"] * 3]}, **BY_MONTH
    )
    parts = split(table, declared(**BY_MONTH), EVERY_ROW, "2013-04")
    assert (len(parts.train), parts.train_without_outcome) == (2, 1)
    assert (len(parts.holdout), parts.holdout_without_outcome) == (2, 1)


@pytest.mark.parametrize(
    ("as_of", "train", "message"),
    [
        ("2013-13", EVERY_ROW, "'2013-13' is not a month; expected YYYY-MM, such as 2013-10 @ as_of"),
        (
            "2013-01",
            EVERY_ROW,
            "no rows with an outcome to train on; expected a month from 2013-01 to 2013-06, and rows before it @ as_of",
        ),
        (
            "2012-01",
            EVERY_ROW,
            "no rows with an outcome to train on; expected a month from 2013-01 to 2013-06, and rows before it @ as_of",
        ),
        (
            "2013-07",
            EVERY_ROW,
            "no rows with an outcome to hold out; expected a month from 2013-01 to 2013-06, and rows before it @ as_of",
        ),
        ("2013-02", EVERY_ROW, "all 1 training rows have target 'y' = 0; expected rows of both classes @ data.target"),
        (
            "2013-04",
            EVERY_ROW.model_copy(update={"columns": ("xx",)}),
            "column 'xx' is not declared as known at prediction time; expected one of x, c @ train.columns (did you mean 'x'?)",
        ),
        (
            "2013-04",
            EVERY_ROW.model_copy(update={"columns": ("y",)}),
            "column 'y' is not declared as known at prediction time; expected one of x, c @ train.columns",
        ),
    ],
)
def test_one_line_for_each_mistake(loaded, declared, as_of, train, message) -> None:
    with pytest.raises(DataError) as caught:
        split(loaded(MONTHS, **BY_MONTH), declared(**BY_MONTH), train, as_of)
    assert str(caught.value) == message


@pytest.mark.parametrize("role", ["key", "cluster"])
def test_a_column_that_names_rows_is_a_feature_only_if_listed(loaded, declared, role) -> None:
    options = {**BY_MONTH, role: ["c"] if role == "key" else "c"}
    table = loaded(MONTHS | {"c": list("abcdef")}, **options)
    with pytest.raises(DataError) as caught:
        split(table, declared(**options), EVERY_ROW.model_copy(update={"columns": ("c",)}), "2013-04")
    assert str(caught.value) == (
        "column 'c' is not declared as known at prediction time; expected one of x @ train.columns "
        f"(it is no feature, as it is in data.{role}; to learn from it too, list it in data.features)"
    )


def test_a_holdout_by_fraction(conf, root) -> None:
    settings = DataSettings.model_validate(conf("data/breast_cancer"))
    table = load(settings, root=root)
    parts = split(table, settings, EVERY_ROW, "unread")
    assert (len(parts.train), len(parts.holdout)) == (414, 155)  # the same on every machine
    assert parts.labels.mean() == pytest.approx(0.35, abs=0.06)  # malignant
    assert parts.times is parts.clusters is parts.weights is None
    with pytest.raises(
        DataError, match=r"train.periods is 3, but the holdout is no period: it is of kind fraction; .*choose train=all"
    ):
        split(table, settings, EVERY_ROW.model_copy(update={"periods": 3}), "unread")


def test_a_fraction_does_not_depend_on_the_order_of_rows(tmp_path, declared) -> None:
    frame = pd.DataFrame({"id": range(300), "x": range(300), "y": [0, 1, 1] * 100})
    settings, results = declared(key=["id"], holdout=HALF), []
    for seed in (0, 1):
        frame.sample(frac=1, random_state=seed).to_csv(tmp_path / "mine.csv", index=False)
        results.append(set(split(load(settings, root=tmp_path), settings, EVERY_ROW, "").row_ids))
    assert results[0] == results[1]


def test_a_fraction_cuts_no_cluster_in_two(loaded, declared) -> None:
    table = loaded({"who": np.repeat(range(50), 6), "x": range(300), "y": [0, 1] * 150}, cluster="who")
    parts = split(table, declared(cluster="who", holdout=HALF), EVERY_ROW, "")
    assert parts.clusters is not None
    assert all((parts.clusters == who).sum() == 6 for who in set(parts.clusters))


def test_a_table_too_small_for_a_fraction(loaded, declared) -> None:
    with pytest.raises(
        DataError, match=r"no rows with an outcome to .*: the table has 1; expected enough rows.* @ data.holdout.share"
    ):
        split(loaded({"x": [1], "y": [1]}), declared(holdout=HALF), EVERY_ROW, "")


def test_breast_cancer_reads_no_file(conf, root) -> None:
    settings = DataSettings.model_validate(conf("data/breast_cancer") | {"path": "x.csv"})
    with pytest.raises(DataError, match=r"breast_cancer reads no file, but path is 'x.csv'; expected null @ data.path"):
        load(settings, root=root)


ROLLING = {"time": "when", "holdout": {"kind": "rolling", "periods": 3}}


def test_rolling_origins(loaded, declared) -> None:
    """Each of the last months is held out, with the rows before it to train on."""
    table, settings = loaded(MONTHS, **ROLLING), declared(**ROLLING)
    periods = list_periods(table, settings, "2013-06")
    assert periods == ("2013-04", "2013-05", "2013-06")
    parts = [split(table, settings, EVERY_ROW, period) for period in periods]
    assert [part.train_row_ids.tolist() for part in parts] == [list("012"), list("0123"), list("01234")]
    assert [part.row_ids.tolist() for part in parts] == [["3"], ["4"], ["5"]]
    assert [part.period for part in parts] == list(periods)
    recent = EVERY_ROW.model_copy(update={"periods": 2})
    rolled = [split(table, settings, recent, period).train_row_ids.tolist() for period in periods]
    assert rolled == [list("12"), list("23"), list("34")]


def test_other_holdouts_are_one_split_without_a_period(loaded, declared) -> None:
    table, settings = loaded(MONTHS, **BY_MONTH), declared(**BY_MONTH)
    assert list_periods(table, settings, "2013-06") == ("2013-06",)
    assert split(table, settings, EVERY_ROW, "2013-06").period is None
    assert list_periods(table, declared(), "unread") == ("unread",)


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        ("2013-04", None),
        (
            "2013-03",
            "no rows with an outcome to train on before 2013-01, for 3 months up to 2013-03; expected as_of from 2013-04 to 2013-06, or fewer months @ as_of, data.holdout.periods",
        ),
        (
            "0001-01",
            "no rows with an outcome to train on before a month outside of the years 0001 to 9999, for 3 months up to 0001-01; expected as_of from 2013-04 to 2013-06, or fewer months @ as_of, data.holdout.periods",
        ),
        (
            "2013-07",
            "no rows with an outcome to hold out in 2013-07, for 3 months up to 2013-07; expected as_of from 2013-04 to 2013-06, or fewer months @ as_of, data.holdout.periods",
        ),
        ("2013-7", "'2013-7' is not a month; expected YYYY-MM, such as 2013-10 @ as_of"),
    ],
)
def test_months_that_cannot_be_held_out(loaded, declared, as_of: str, message: str | None) -> None:
    table, settings = loaded(MONTHS, **ROLLING), declared(**ROLLING)
    if message is None:
        assert len(list_periods(table, settings, as_of)) == 3
        return
    with pytest.raises(DataError) as caught:
        list_periods(table, settings, as_of)
    assert str(caught.value) == message


def test_a_month_without_an_outcome_in_the_middle(loaded, declared) -> None:
    table = loaded(MONTHS | {"y": [0, 1, 0, 1, None, 1]}, **ROLLING)
    with pytest.raises(DataError, match="no rows with an outcome to hold out in 2013-05"):
        list_periods(table, declared(**ROLLING), "2013-06")


@pytest.mark.parametrize(
    ("when", "labels", "latest"),
    [
        (["2013-01-05", "2013-02-05", "2013-03-05"], [0, 1, 0], "2013-02"),  # March goes on
        (["2013-01-05", "2013-02-05", "2013-03-05"], [0, 1, None], "2013-02"),  # a row is enough to see that
        (["2013-01-05", "2013-02-05", "2013-03-05"], [0, None, 1], "2013-01"),  # February has no outcome yet
        (["2013-03-05", "2013-01-05", "2013-03-31"], [0, 1, 0], "2013-01"),  # the order of rows says nothing
    ],
)
def test_latest_is_the_newest_complete_period_with_an_outcome(loaded, declared, when, labels, latest: str) -> None:
    table = loaded({"when": when, "x": range(3), "y": labels}, **BY_MONTH)
    assert list_periods(table, declared(**BY_MONTH), "latest") == (latest,)


def test_no_period_is_complete(loaded, declared) -> None:
    table = loaded(MONTHS | {"when": ["2013-10-07", *["2013-10-13"] * 5]}, **BY_MONTH)
    with pytest.raises(DataError) as caught:
        list_periods(table, declared(**BY_MONTH, period="week"), "latest")
    assert str(caught.value) == (
        "no week with an outcome is complete: the last row is of 2013-W41; expected a row of a later week @ as_of"
        " (as_of=2013-W41 takes that week as it is)"
    )


@pytest.mark.parametrize(
    ("period", "as_of", "train", "holdout"),
    [
        ("day", "2024-01-01", ["0", "1", "2"], ["3"]),
        ("week", "2024-W01", ["0", "1", "2"], ["3", "4"]),
        ("month", "2024-01", ["0", "1", "2"], ["3", "4", "5"]),
        ("quarter", "2023-Q4", ["0"], ["1", "2"]),
    ],
)
def test_a_period_is_held_out(loaded, declared, period: str, as_of: str, train, holdout) -> None:
    when = ["2023-09-30", "2023-10-01", "2023-12-31", "2024-01-01", "2024-01-07", "2024-01-08"]
    changes = BY_MONTH | {"period": period, "task": "regression"}
    parts = split(loaded(MONTHS | {"when": when}, **changes), declared(**changes), EVERY_ROW, as_of)
    assert (parts.train_row_ids.tolist(), parts.row_ids.tolist(), parts.as_of) == (train, holdout, as_of)


def test_rolling_weeks_and_a_window_of_weeks(loaded, declared) -> None:
    weekly = {"time": "when", "period": "week", "holdout": {"kind": "rolling", "periods": 2}, "task": "regression"}
    table = loaded(MONTHS | {"when": pd.date_range("2024-12-16", periods=6, freq="7D")}, **weekly)
    settings = declared(**weekly)
    assert list_periods(table, settings, "latest") == ("2025-W02", "2025-W03")
    parts = split(table, settings, EVERY_ROW.model_copy(update={"periods": 2}), "2025-W02")
    assert (parts.train_row_ids.tolist(), parts.row_ids.tolist(), parts.period) == (["1", "2"], ["3"], "2025-W02")


@pytest.mark.parametrize(
    ("start", "zone", "row_ids"),
    [
        ("2013-04-01", "UTC", ["3", "4", "5"]),
        ("2013-04-15", "Asia/Tokyo", ["3", "4", "5"]),  # dates are local, as the cutoff is
        ("2013-04-15T00:00:01", "UTC", ["4", "5"]),
        ("2013-04-15T00:00:00Z", "Asia/Tokyo", ["4", "5"]),  # nine hours after that day began in Tokyo
    ],
)
def test_rows_from_a_date_on_are_held_out(loaded, declared, start: str, zone: str, row_ids: list[str]) -> None:
    changes = {"time": "when", "zone": zone, "holdout": {"kind": "cutoff", "from": start}}
    parts = split(loaded(MONTHS, **changes), declared(**changes), EVERY_ROW, "unread")
    assert parts.row_ids.tolist() == row_ids
    assert parts.train_row_ids.tolist() == [str(row) for row in range(6) if str(row) not in row_ids]
    assert (parts.as_of, parts.period, parts.freshness) == (None, None, None)


@pytest.mark.parametrize(
    ("values", "holdout", "row_ids"),
    [
        (["train", "test", "train", "test", "valid", "train"], "test", ["1", "3"]),
        ([1, 2, 1, 2, 1, 1], 2, ["1", "3"]),
        ([True, False, True, False, True, True], False, ["1", "3"]),
    ],
)
def test_a_column_says_what_is_held_out(loaded, declared, values, holdout, row_ids: list[str]) -> None:
    changes = {"holdout": {"kind": "column", "column": "split", "holdout": holdout}}
    parts = split(
        loaded(MONTHS | {"split": values}, exclude=["when"], **changes),
        declared(exclude=["when"], **changes),
        EVERY_ROW,
        "",
    )
    assert parts.row_ids.tolist() == row_ids
    assert list(parts.holdout) == ["x", "c"]  # the column itself is nothing to learn from


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"holdout": {"kind": "column", "column": "c", "holdout": "z"}},
            "no rows with an outcome to hold out: the table has 6; expected rows that say 'z', and others @ data.holdout",
        ),
        (
            {"holdout": {"kind": "column", "column": "cc", "holdout": "z"}},
            "column 'cc' is not in mine.parquet; expected one of when, x, c, y @ data.holdout.column (did you mean 'c'?)",
        ),
        (
            {"time": "when", "holdout": {"kind": "cutoff", "from": "2014-01-01"}},
            "no rows with an outcome to hold out: the table has 6; expected rows on both sides of it @ data.holdout.from",
        ),
        (
            {"time": "when", "holdout": {"kind": "cutoff", "from": "2012-01-01"}},
            "no rows with an outcome to train on: the table has 6; expected rows on both sides of it @ data.holdout.from",
        ),
    ],
)
def test_a_cut_that_leaves_nothing(loaded, declared, changes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        split(loaded(MONTHS, **changes), declared(**changes), EVERY_ROW, "")
    assert str(caught.value) == message
