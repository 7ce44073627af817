"""What a model of xgboost 3 has to be besides well-formed, so that xgboost does not read or write outside its memory.

xgboost trusts the numbers in a document: it follows child indices, looks up features and categories, and allocates what
sizes say. So these are held against each other before it sees the bytes, and against what `xgb.fit` makes: trees with
one score (booster `gbtree`, one target, no classes) over the columns of the layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROOT_PARENT = 2**31 - 1
_NODE_ARRAYS = {
    "base_weights": ">f4",
    "default_left": "|u1",
    "left_children": ">i4",
    "loss_changes": ">f4",
    "parents": ">i4",
    "right_children": ">i4",
    "split_conditions": ">f4",
    "split_indices": ">i4",
    "split_type": "|u1",
    "sum_hessian": ">f4",
}
_CATEGORY_ARRAYS = {
    "categories": ">i4",
    "categories_nodes": ">i4",
    "categories_segments": ">i8",
    "categories_sizes": ">i8",
}
_FOLLOWED = ("left_children", "right_children", "parents", "split_indices", "split_type", *_CATEGORY_ARRAYS)
_BASE_SCORE = re.compile(r"\[?-?\d+(\.\d+)?([eE][-+]?\d+)?\]?")
_KINDS = {dict: "object", list: "list", str: "text", int: "number"}


def read_attribute(document: Mapping[str, Any], name: str) -> str | None:
    """An attribute that was saved with the booster, a text; None if there is none."""
    learner = document.get("learner")
    attributes = learner.get("attributes") if isinstance(learner, Mapping) else None
    text = attributes.get(name) if isinstance(attributes, Mapping) else None
    return text if isinstance(text, str) else None


def check_model(document: Mapping[str, Any], *, vocabulary_sizes: list[int | None], objectives: frozenset[str]) -> None:
    """Raise ValueError if xgboost could not load or score the document safely, or if no model of ours is like it.

    Args:
        document: of `ubj.parse_object`.
        vocabulary_sizes: of each column: how many categories it has; None for numbers.
        objectives: what a model may have been trained for.
    """
    learner = _read_part(document, "learner", dict)
    features = len(vocabulary_sizes)
    shape = _read_part(learner, "learner_model_param", dict)
    for name, number in {"num_class": 0, "num_feature": features, "num_target": 1}.items():
        _expect(name, _read_count(shape, name), number)
    if not _BASE_SCORE.fullmatch(_read_part(shape, "base_score", str)):
        raise ValueError("base_score is no number")
    objective = _read_part(_read_part(learner, "objective", dict), "name", str)
    if objective not in objectives:
        raise ValueError(f"the objective is {objective[:40]!r}; expected one of {', '.join(sorted(objectives))}")
    kinds = ["q" if size is None else "c" for size in vocabulary_sizes]
    _expect("feature_types", _read_part(learner, "feature_types", list), kinds)
    _expect("feature_names", _read_part(learner, "feature_names", list), [])
    booster = _read_part(learner, "gradient_booster", dict)
    _expect("the booster", _read_part(booster, "name", str), "gbtree")
    _check_trees(_read_part(booster, "model", dict), vocabulary_sizes)


def _check_trees(model: Mapping[str, Any], vocabulary_sizes: list[int | None]) -> None:
    import numpy as np

    trees = _read_part(model, "trees", list)
    counts = _read_part(model, "gbtree_model_param", dict)
    _expect("num_trees", _read_count(counts, "num_trees"), len(trees))
    _expect("num_parallel_tree", _read_count(counts, "num_parallel_tree"), 1)
    _expect("tree_info", _read_part(model, "tree_info", list), [0] * len(trees))
    _expect("iteration_indptr", _read_part(model, "iteration_indptr", list), list(range(len(trees) + 1)))
    for name, part in _read_part(model, "cats", dict).items():
        if len(part):
            raise ValueError(f"{name} of the booster's own categories is not empty")
    if not trees:
        raise ValueError("there is no tree")
    forest = _read_forest(trees, len(vocabulary_sizes))
    # a column of numbers has no category, so that a split by category there is outside of it
    sizes = np.array([size or 0 for size in vocabulary_sizes], dtype=np.int64)
    categorical = np.array([size is not None for size in vocabulary_sizes], dtype=bool)
    _check_shape(forest)
    _check_splits(forest, categorical)
    _check_categories(forest, sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forest:
    """The nodes of all trees, one tree after the other: m nodes of k trees."""

    arrays: Mapping[str, NDArray[Any]]  # what is followed or looked up; (m,) but for categories
    sizes: NDArray[np.int64]  # (k,) nodes of each tree
    deleted: NDArray[np.int64]  # (k,)
    lengths: Mapping[str, NDArray[np.int64]]  # (k,) of the arrays of categories

    def starts(self, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each tree begins in an array of which it has so many entries."""
        import numpy as np

        starts: NDArray[np.int64] = np.cumsum(sizes) - sizes
        return starts

    @property
    def inner(self) -> NDArray[np.intp]:
        """The nodes that have children."""
        import numpy as np

        return np.flatnonzero(self.arrays["left_children"] != -1)

    def require(self, holds: NDArray[np.bool_], nodes: NDArray[np.intp], problem: str) -> None:
        """Raise ValueError, which names the tree, if a condition does not hold for one of these nodes."""
        import numpy as np

        if not holds.all():
            tree = np.searchsorted(np.cumsum(self.sizes), nodes[np.flatnonzero(~holds)[0]], side="right")
            raise ValueError(f"tree {tree}: {problem}")


def _read_forest(trees: list[Any], features: int) -> _Forest:
    import numpy as np

    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _FOLLOWED}
    sizes, deleted_counts = [], []
    for place, tree in enumerate(trees):
        try:
            nodes, unused_nodes = _read_shape(tree, place, features)
            for name, dtype in _NODE_ARRAYS.items():
                array = _read_array(tree, name, dtype)
                if len(array) != nodes:
                    raise ValueError(f"{name} has {len(array):,} entries for {nodes:,} nodes")
                if name in parts:
                    parts[name].append(array)
            for name, dtype in _CATEGORY_ARRAYS.items():
                parts[name].append(_read_array(tree, name, dtype))
        except ValueError as err:
            raise ValueError(f"tree {place}: {err}") from err
        sizes.append(nodes)
        deleted_counts.append(unused_nodes)
    return _Forest(
        arrays={name: np.concatenate(arrays).astype(np.int64) for name, arrays in parts.items()},
        sizes=np.array(sizes, dtype=np.int64),
        deleted=np.array(deleted_counts, dtype=np.int64),
        lengths={name: np.array([len(array) for array in parts[name]], dtype=np.int64) for name in _CATEGORY_ARRAYS},
    )


def _read_shape(tree: Any, place: int, features: int) -> tuple[int, int]:
    """How many nodes a tree has, at least one, and how many of them are deleted."""
    if not isinstance(tree, dict):
        raise ValueError("it is no object")
    _expect("id", _read_part(tree, "id", int), place)
    shape = _read_part(tree, "tree_param", dict)
    _expect("num_feature", _read_count(shape, "num_feature"), features)
    _expect("size_leaf_vector", _read_count(shape, "size_leaf_vector"), 1)
    nodes = _read_count(shape, "num_nodes")
    if not nodes:
        raise ValueError("it has no node")
    return nodes, _read_count(shape, "num_deleted")


def _check_shape(forest: _Forest) -> None:
    """Every node is the child of one other, but for the roots and for those that are deleted."""
    import numpy as np

    left, right, parents = (forest.arrays[name] for name in ("left_children", "right_children", "parents"))
    roots, places = forest.starts(forest.sizes), np.arange(len(left))
    first = np.repeat(roots, forest.sizes)  # of each node: the root of its tree
    forest.require((left == -1) == (right == -1), places, "a node has one child")
    inner = forest.inner
    parent, base = np.tile(inner, 2), np.tile(first[inner], 2)
    children = np.concatenate([left[inner], right[inner]]) + base
    size = np.tile(np.repeat(forest.sizes, forest.sizes)[inner], 2)
    # nodes are numbered as they are made, so that a child's number is higher than its parent's: there is no cycle
    inside = (children > parent) & (children < base + size)
    forest.require(inside, parent, "a child is outside of the tree, or no node after its parent")
    times = np.bincount(children, minlength=len(left))
    forest.require(times <= 1, places, "a node is the child of two")
    reachable = np.add.reduceat(times, roots) + 1 + forest.deleted
    forest.require(reachable == forest.sizes, roots, "nodes are the child of none")
    forest.require(parents[roots] == _ROOT_PARENT, roots, "its root has a parent")
    forest.require(parents[children] == parent - base, children, "parents and children do not agree")


def _check_splits(forest: _Forest, categorical: NDArray[np.bool_]) -> None:
    """Every split is by a column that there is, and of its type."""
    inner = forest.inner
    features, kinds = forest.arrays["split_indices"][inner], forest.arrays["split_type"][inner]
    inside = (features >= 0) & (features < len(categorical))
    forest.require(inside, inner, "a split is by a column that there is not")
    forest.require(kinds == categorical[features], inner, "a split is of another type than its column")


def _check_categories(forest: _Forest, sizes: NDArray[np.int64]) -> None:
    """The categories of a tree's nodes are stored one after the other, and are in the vocabulary of their column."""
    import numpy as np

    inner = forest.inner
    split = inner[forest.arrays["split_type"][inner] == 1]
    counts, categories = forest.arrays["categories_sizes"], forest.arrays["categories"]
    lengths = forest.lengths
    category_nodes = forest.arrays["categories_nodes"] + np.repeat(
        forest.starts(forest.sizes), lengths["categories_nodes"]
    )
    if not np.array_equal(category_nodes, split) or any(
        not np.array_equal(lengths[name], lengths["categories_nodes"])
        for name in ("categories_sizes", "categories_segments")
    ):
        raise ValueError("the nodes with categories are not those that split by them")
    # counts are bounded one by one before they are added, so that no sum overflows
    forest.require((counts >= 0) & (counts <= len(categories)), split, "a node has more categories than there are")
    ends = np.cumsum(counts)
    starts = forest.arrays["categories_segments"] + np.repeat(
        forest.starts(lengths["categories"]), lengths["categories_segments"]
    )
    forest.require(starts == ends - counts, split, "the categories of a node begin elsewhere")
    if counts.sum() != len(categories):
        raise ValueError("there are categories of no node")
    owners = np.repeat(split, counts)
    inside = (categories >= 0) & (categories < sizes[forest.arrays["split_indices"][owners]])
    forest.require(inside, owners, "a category is not in its column's vocabulary")


def _read_array(tree: Mapping[str, Any], name: str, dtype: str) -> NDArray[Any]:
    value = tree.get(name)
    if getattr(getattr(value, "dtype", None), "str", "") != dtype:
        raise ValueError(f"{name} is no array of {dtype[1:]}")
    array: NDArray[Any] = value  # type: ignore[assignment] # only arrays have a dtype
    return array


def _read_part(mapping: Mapping[str, Any], name: str, kind: type) -> Any:
    value = mapping.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name} is no {_KINDS[kind]}")
    return value


def _read_count(mapping: Mapping[str, Any], name: str) -> int:
    text: str = _read_part(mapping, name, str)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{name} is no number")
    return int(text)


def _expect(name: str, value: Any, expected: Any) -> None:
    if value != expected:
        raise ValueError(f"{name} is {str(value)[:80]}; expected {str(expected)[:80]}")
