"""Each invariant of a model of xgboost, broken in a document that is well-formed, is refused before xgboost sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import ubj, xgb
from tests.pipelines.models.ubj_documents import write_value

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def blob(conf, rows, labels) -> bytes:
    """A model with splits by numbers and by several categories at once."""
    params = xgb.Params.model_validate(conf("xgb", trees=6, max_depth=4))
    return xgb.fit(rows.assign(dest2=rows["dest"]), labels["binary"], params=params, task="binary", seed=0).to_bytes()


def read_trees(document: dict[str, Any]) -> list[dict[str, Any]]:
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    assert isinstance(trees, list)
    return trees


def put(*path: str | int, value: Any) -> Change:
    """Put a value at a path below the learner."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document["learner"]
        for name in path[:-1]:
            place = place[name]
        assert path[-1] in place or isinstance(place, list)
        place[path[-1]] = value

    return change


def set_entry(name: str, entry: int, value: int) -> Change:
    """Set an entry of an array of the first tree that has one."""

    def change(document: dict[str, Any]) -> None:
        tree = next(tree for tree in read_trees(document) if len(tree[name]) > entry)
        tree[name] = tree[name].copy()
        tree[name][entry] = value

    return change


def in_tree(name: str, value: Any) -> Change:
    return put("gradient_booster", "model", "trees", 1, name, value=value)


def split_where(is_category: bool) -> Callable[[dict[str, Any]], tuple[dict[str, Any], int]]:
    def find(document: dict[str, Any]) -> tuple[dict[str, Any], int]:
        for tree in read_trees(document):
            nodes = np.flatnonzero((tree["left_children"] != -1) & (tree["split_type"] == is_category))
            if len(nodes):
                return tree, int(nodes[0])
        raise AssertionError("there is no such split")

    return find


def change_type(is_category: bool) -> Change:
    def change(document: dict[str, Any]) -> None:
        tree, node = split_where(is_category)(document)
        tree["split_type"] = tree["split_type"].copy()
        tree["split_type"][node] = not is_category

    return change


def shorten(name: str) -> Change:
    return lambda document: read_trees(document)[1].update({name: read_trees(document)[1][name][:-1]})


def widen(name: str) -> Change:
    return lambda document: read_trees(document)[1].update({name: read_trees(document)[1][name].astype(">i8")})


PARAMETERS = ("learner_model_param",)
MODEL = ("gradient_booster", "model")
BROKEN: dict[str, tuple[Change, str]] = {
    "classes": (put(*PARAMETERS, "num_class", value="3"), "num_class is 3; expected 0"),
    "targets": (put(*PARAMETERS, "num_target", value="9"), "num_target is 9; expected 1"),
    "features": (put(*PARAMETERS, "num_feature", value="4000000"), "num_feature is 4000000; expected 5"),
    "a number in words": (put(*PARAMETERS, "num_feature", value="-1"), "num_feature is no number"),
    "base score": (put(*PARAMETERS, "base_score", value="[1,2,3]"), "base_score is no number"),
    "objective": (put("objective", "name", value="survival:aft"), "the objective is 'survival:aft'; expected one of"),
    "kinds of columns": (put("feature_types", value=["q"] * 5), "feature_types is"),
    "names": (put("feature_names", value=["x"]), "feature_names is"),
    "linear": (put("gradient_booster", "name", value="gblinear"), "the booster is gblinear; expected gbtree"),
    "no trees": (put(*MODEL, "trees", value=[]), "num_trees is 6; expected 0"),
    "trees": (put(*MODEL, "gbtree_model_param", "num_trees", value="7"), "num_trees is 7; expected 6"),
    "parallel trees": (put(*MODEL, "gbtree_model_param", "num_parallel_tree", value="2"), "num_parallel_tree is 2"),
    "groups": (put(*MODEL, "tree_info", 2, value=5), "tree_info is"),
    "iterations": (put(*MODEL, "iteration_indptr", 3, value=900), "iteration_indptr is"),
    "booster's categories": (put(*MODEL, "cats", "enc", value=[1]), "enc of the booster's own categories is not empty"),
    "no tree": (put(*MODEL, "trees", 1, value=[]), "tree 1: it is no object"),
    "id": (in_tree("id", 99), "tree 1: id is 99; expected 1"),
    "nodes": (put(*MODEL, "trees", 1, "tree_param", "num_nodes", value="1000"), "tree 1: base_weights has"),
    "leaf vector": (put(*MODEL, "trees", 1, "tree_param", "size_leaf_vector", value="8"), "size_leaf_vector is 8"),
    "deleted": (put(*MODEL, "trees", 1, "tree_param", "num_deleted", value="2"), "nodes are the child of none"),
    "left child": (set_entry("left_children", 0, 10**6), "tree 0: a child is outside of the tree"),
    "right child": (set_entry("right_children", 0, -7), "tree 0: a child is outside of the tree"),
    "one child": (set_entry("right_children", 0, -1), "tree 0: a node has one child"),
    "cycle": (set_entry("left_children", 1, 0), "a child is outside of the tree, or no node after its parent"),
    "shared child": (set_entry("right_children", 0, 1), "tree 0: a node is the child of two"),
    "root": (set_entry("parents", 0, 3), "tree 0: its root has a parent"),
    "parent": (set_entry("parents", 2, 1), "tree 0: parents and children do not agree"),
    "column": (set_entry("split_indices", 0, 5), "tree 0: a split is by a column that there is not"),
    "column below": (set_entry("split_indices", 0, -1), "tree 0: a split is by a column that there is not"),
    "number by category": (change_type(False), "a split is of another type than its column"),
    "category by number": (change_type(True), "a split is of another type than its column"),
    "category": (set_entry("categories", 0, 2**30), "a category is not in its column's vocabulary"),
    "category below": (set_entry("categories", 0, -1), "a category is not in its column's vocabulary"),
    "size": (set_entry("categories_sizes", 0, 2**62), "a node has more categories than there are"),
    "size below": (set_entry("categories_sizes", 0, -1), "a node has more categories than there are"),
    "segment": (set_entry("categories_segments", 0, 2**40), "the categories of a node begin elsewhere"),
    "nodes with categories": (set_entry("categories_nodes", 0, 10**6), "the nodes with categories are not those"),
    **{
        f"short {name}": (shorten(name), f"tree 1: {name} has")
        for name in ("base_weights", "default_left", "left_children", "split_conditions", "split_type", "sum_hessian")
    },
    "integers": (widen("left_children"), "tree 1: left_children is no array of i4"),
    "columns twice": (
        put("attributes", "lockgate", value='{"version":1,"columns":["a","a","b","c","d"],"vocabularies":{}}'),
        "the preprocessing in this xgboost-ubj cannot be read",
    ),
    "other columns": (
        put("attributes", "lockgate", value='{"version":1,"columns":["a"],"vocabularies":{}}'),
        "num_feature is 5; expected 1",
    ),
    "a place for nothing": (
        put("attributes", "lockgate", value='{"version":1,"columns":["a"],"vocabularies":{"b":["x"]}}'),
        "the preprocessing in this xgboost-ubj cannot be read",
    ),
    "a value twice": (
        put("attributes", "lockgate", value='{"version":1,"columns":["a"],"vocabularies":{"a":["x","x"]}}'),
        "the preprocessing in this xgboost-ubj cannot be read",
    ),
}


def test_a_document_that_is_written_again_loads(blob, rows) -> None:
    again = write_value(ubj.parse_object(blob))
    frame = rows.assign(dest2=rows["dest"])
    np.testing.assert_array_equal(xgb.load(again).score(frame), xgb.load(blob).score(frame))


@pytest.mark.parametrize("name", BROKEN)
def test_a_document_that_contradicts_itself(blob, name) -> None:
    change, message = BROKEN[name]
    document = ubj.parse_object(blob)
    change(document)
    with pytest.raises(ModelError, match=message):
        xgb.load(write_value(document))


@pytest.mark.parametrize("method", ["hist", "approx", "exact"])
def test_trees_that_every_method_grows(conf, rows, labels, method) -> None:
    """Also trees of which nodes were deleted again, and of one node."""
    frame = rows[["hour", "distance"]] if method == "exact" else rows
    for changes in ({"max_depth": 20, "min_child_weight": 0}, {"max_depth": 1, "min_child_weight": 1e5}):
        params = xgb.Params.model_validate(conf("xgb", trees=5, tree_method=method, **changes))
        model = xgb.fit(frame, labels["regression"], params=params, task="regression", seed=0)
        np.testing.assert_array_equal(xgb.load(model.to_bytes()).score(frame), model.score(frame))
