"""Trees of scikit-learn whose numbers point elsewhere are refused when they are loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import FORMATS, hist_gb


@pytest.fixture
def pipeline(conf, rows, labels) -> Any:
    params = hist_gb.Params.model_validate(conf("hist_gb", max_iter=3))
    return hist_gb.fit(rows, labels["binary"], params=params, task="binary", seed=0)


def find_split(model: Any, *, by_category: bool) -> tuple[Any, int]:
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        places = np.flatnonzero((nodes["is_leaf"] == 0) & (nodes["is_categorical"] == by_category))
        if len(places):
            return predictor, int(places[0])
    raise AssertionError("there is no such split")


BROKEN = {
    "left": ("left", 10**6, "a child is outside of the tree"),
    "right": ("right", 0, "a child is outside of the tree"),
    "column": ("feature_idx", 4, "a split is by a column that there is not"),
    "set": ("bitset_idx", 10**6, "a set of categories is outside of the table"),
    "column of numbers": ("feature_idx", 2, "a split is by categories of a column that has none"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_node_that_points_elsewhere(pipeline, name) -> None:
    field, value, message = BROKEN[name]
    predictor, node = find_split(pipeline.pipeline[-1], by_category=True)
    predictor.nodes[field][node] = value
    with pytest.raises(ModelError, match=rf"these bytes are not skops: ValueError: tree \d: {message}"):
        FORMATS["skops"](pipeline.to_bytes())


def test_tables_of_another_shape(pipeline) -> None:
    predictor = pipeline.pipeline[-1]._predictors[1][0]
    predictor.nodes = predictor.nodes.reshape(1, -1)
    with pytest.raises(ModelError, match="tree 1: its nodes are no table of nodes"):
        FORMATS["skops"](pipeline.to_bytes())


def test_sets_of_another_shape(pipeline) -> None:
    predictor, _ = find_split(pipeline.pipeline[-1], by_category=True)
    predictor.raw_left_cat_bitsets = predictor.raw_left_cat_bitsets[:, :1]
    with pytest.raises(ModelError, match="its sets of categories are no sets"):
        FORMATS["skops"](pipeline.to_bytes())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: setattr(model, "_n_features", 9), "its columns are not those that were binned"),
        (lambda model: model._predictors[0].append(model._predictors[1][0]), "more than one tree in an iteration"),
        (lambda model: model._bin_mapper.bin_thresholds_[0].__setitem__(0, 256), "a category is outside of the set"),
        (lambda model: delattr(model._bin_mapper, "is_categorical_"), "AttributeError"),
    ],
)
def test_what_does_not_agree(pipeline, change, message) -> None:
    change(pipeline.pipeline[-1])
    with pytest.raises(ModelError, match=message):
        FORMATS["skops"](pipeline.to_bytes())
