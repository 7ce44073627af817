from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lockgate.gates.evidence.facts import parse_distribution
from lockgate.pipelines.scoring.distributions import TOP_VALUES, count_distributions, count_scores, recount, spread_rows


def frames():
    rng = np.random.default_rng(1)

    def frame(n: int, values: int) -> pd.DataFrame:
        table = pd.DataFrame(
            {
                "distance": rng.gamma(2, 300, n),
                "hour": rng.integers(5, 24, n).astype(float),
                "dest": pd.Series(rng.choice([f"d{index:02d}" for index in range(values)], n), dtype=object),
            }
        )
        table.loc[rng.random(n) < 0.1, "distance"] = np.nan
        table.loc[rng.random(n) < 0.2, "dest"] = np.nan
        return table

    return frame(5000, 30), frame(900, 40)


@pytest.fixture(scope="module")
def orders():
    train, holdout = frames()
    return train, holdout, count_distributions(train, holdout)


def test_they_are_facts_and_every_row_is_counted_once(orders) -> None:
    train, holdout, features = orders
    assert list(features) == ["distance", "hour", "dest"]
    for name, fact in json.loads(json.dumps(features, allow_nan=False)).items():
        distribution = parse_distribution(fact, path=name)
        assert (distribution.train.rows, distribution.holdout.rows) == (len(train), len(holdout))
        assert (distribution.train.missing, distribution.holdout.missing) == (
            train[name].isna().sum(),
            holdout[name].isna().sum(),
        )


def test_numbers_are_counted_as_pandas_cuts_them(orders) -> None:
    train, holdout, features = orders
    edges = [-np.inf, *features["distance"]["edges"], np.inf]
    assert len(edges) == 21
    for part, frame in (("train", train), ("holdout", holdout)):
        expected = pd.cut(frame["distance"], edges).value_counts(sort=False).tolist()
        assert features["distance"][part]["cells"] == expected
    assert features["hour"]["edges"] == list(range(5, 23))


def test_names_are_the_commonest_and_the_rest(orders) -> None:
    train, holdout, features = orders
    dest = features["dest"]
    common = train["dest"].value_counts()
    assert len(dest["values"]) == TOP_VALUES
    assert sum(dest["train"]["cells"]) == common.nlargest(TOP_VALUES).sum()
    assert dest["holdout"]["other"] == (~holdout["dest"].isin(dest["values"]) & holdout["dest"].notna()).sum()
    assert dest["holdout"]["cells"] == [int((holdout["dest"] == value).sum()) for value in dest["values"]]


def test_the_order_of_the_rows_does_not_matter(orders) -> None:
    train, holdout, features = orders
    shuffled = train.sample(frac=1, random_state=3).reset_index(drop=True)
    assert count_distributions(shuffled, holdout) == features


def test_columns_of_nothing_and_of_one_value() -> None:
    train = pd.DataFrame({"a": [np.nan] * 3, "b": [2.0] * 3, "c": pd.Series([None] * 3, dtype=object)})
    features = count_distributions(train, train)
    assert features["a"] == {
        "kind": "number",
        "edges": [],
        "train": {"cells": [0], "missing": 3},
        "holdout": {"cells": [0], "missing": 3},
    }
    assert features["b"]["train"] == {"cells": [3], "missing": 0}
    assert features["c"]["train"] == {"cells": [], "other": 0, "missing": 3}
    for fact in features.values():
        assert parse_distribution(fact, path="x").train.rows == 3


def test_another_runs_cells_are_counted_again(orders) -> None:
    train, holdout, features = orders
    later = holdout.iloc[:500].drop(columns="hour").assign(other=1.0)
    again = recount(features, later)
    assert set(again) == {"distance", "dest"}
    for name, fact in again.items():
        distribution = parse_distribution(fact, path=name)
        assert (distribution.train.rows, distribution.holdout.rows) == (len(train), 500)
        assert fact["train"]["cells"] == features[name]["train"]["cells"]
    assert again["distance"]["holdout"] == count_distributions(train, later.assign(hour=0))["distance"]["holdout"]


@pytest.mark.parametrize("features", [None, [], {}, "features"])
def test_a_run_that_said_nothing_about_its_features(features) -> None:
    assert recount(features, frames()[1]) is None


def test_columns_that_cannot_be_read_are_left_out(orders) -> None:
    _, holdout, features = orders
    odd = {
        "distance": {"kind": "number", "missing": 0.1, "deciles": [1, 2]},
        "hour": features["dest"],
        "dest": features["dest"],
    }
    assert set(recount(odd, holdout)) == {"dest"}


def test_scores() -> None:
    scores = np.random.default_rng(2).random(1000)
    distribution = parse_distribution(count_scores(scores), path="scores")
    assert (distribution.train.rows, len(distribution.train.cells), distribution.holdout) == (1000, 20, None)


@pytest.mark.parametrize(("count", "rows", "expected"), [(5, 9, [0, 1, 2, 3, 4]), (0, 3, []), (9, 3, [0, 4, 8])])
def test_rows_spread_evenly(count: int, rows: int, expected: list[int]) -> None:
    assert spread_rows(count, rows).tolist() == expected
