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
BY_MONTH = {"time": "when", "holdout": {"kind": "month"}}


def test_training_ends_where_the_holdout_begins(loaded, declared) -> None:
    table = loaded(MONTHS, **BY_MONTH)
    settings = declared(**BY_MONTH)
    parts = split(table, settings, EVERY_ROW, "2013-04")
    assert (parts.train_row_ids.tolist(), parts.row_ids.tolist()) == (["0", "1", "2"], ["3"])
    parts = split(table, settings, EVERY_ROW.model_copy(update={"months": 2, "columns": ("x",)}), "2013-04")
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


def test_a_holdout_by_fraction(conf, root) -> None:
    settings = DataSettings.model_validate(conf("data/breast_cancer"))
    table = load(settings, root=root)
    parts = split(table, settings, EVERY_ROW, "unread")
    assert (len(parts.train), len(parts.holdout)) == (414, 155)  # the same on every machine
    assert parts.labels.mean() == pytest.approx(0.35, abs=0.06)  # malignant
    assert parts.times is parts.clusters is parts.weights is None
    with pytest.raises(DataError, match=r"train.months is 3, but the holdout is a fraction .*choose train=all"):
        split(table, settings, EVERY_ROW.model_copy(update={"months": 3}), "unread")


def test_a_fraction_does_not_depend_on_the_order_of_rows(tmp_path, declared) -> None:
    frame = pd.DataFrame({"id": range(300), "x": range(300), "y": [0, 1, 1] * 100})
    results = []
    for seed in (0, 1):
        frame.sample(frac=1, random_state=seed).to_csv(tmp_path / "mine.csv", index=False)
        results.append(
            set(split(load(declared(key=["id"]), root=tmp_path), declared(key=["id"]), EVERY_ROW, "").row_ids)
        )
    assert results[0] == results[1]


def test_a_fraction_cuts_no_cluster_in_two(loaded, declared) -> None:
    table = loaded({"who": np.repeat(range(50), 6), "x": range(300), "y": [0, 1] * 150}, cluster="who")
    parts = split(table, declared(cluster="who"), EVERY_ROW, "")
    assert parts.clusters is not None
    assert all((parts.clusters == who).sum() == 6 for who in set(parts.clusters))


def test_a_table_too_small_for_a_fraction(loaded, declared) -> None:
    with pytest.raises(
        DataError, match=r"no rows with an outcome to .*: the table has 1; expected enough rows.* @ data.holdout.share"
    ):
        split(loaded({"x": [1], "y": [1]}), declared(), EVERY_ROW, "")


def test_breast_cancer_reads_no_file(conf, root) -> None:
    settings = DataSettings.model_validate(conf("data/breast_cancer") | {"path": "x.csv"})
    with pytest.raises(DataError, match=r"breast_cancer reads no file, but path is 'x.csv'; expected null @ data.path"):
        load(settings, root=root)


ROLLING = {"time": "when", "holdout": {"kind": "rolling", "months": 3}}


def test_rolling_origins(loaded, declared) -> None:
    """Each of the last months is held out, with the rows before it to train on."""
    table, settings = loaded(MONTHS, **ROLLING), declared(**ROLLING)
    periods = list_periods(table, settings, "2013-06")
    assert periods == ("2013-04", "2013-05", "2013-06")
    parts = [split(table, settings, EVERY_ROW, period) for period in periods]
    assert [part.train_row_ids.tolist() for part in parts] == [list("012"), list("0123"), list("01234")]
    assert [part.row_ids.tolist() for part in parts] == [["3"], ["4"], ["5"]]
    assert [part.period for part in parts] == list(periods)
    recent = EVERY_ROW.model_copy(update={"months": 2})
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
            "no rows with an outcome to train on before 2013-01, for 3 months up to 2013-03; expected as_of from 2013-04 to 2013-06, or fewer months @ as_of, data.holdout.months",
        ),
        (
            "0001-01",
            "no rows with an outcome to train on before 0000-11, for 3 months up to 0001-01; expected as_of from 2013-04 to 2013-06, or fewer months @ as_of, data.holdout.months",
        ),
        (
            "2013-07",
            "no rows with an outcome to hold out in 2013-07, for 3 months up to 2013-07; expected as_of from 2013-04 to 2013-06, or fewer months @ as_of, data.holdout.months",
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
