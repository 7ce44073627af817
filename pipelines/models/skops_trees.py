"""What the trees of scikit-learn's histogram gradient boosting have to be, so that scoring stays in its memory.

Its compiled code follows the children of a node, and looks up columns and categories, without checking the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BITSET_WORDS = 8  # of 32 categories each


def check_boosting(model: Any) -> None:
    """Raise ValueError if scoring with a fitted HistGradientBoosting could read outside of its arrays.

    Also raises AttributeError, TypeError, IndexError for parts that are missing or of another type.
    """
    import numpy as np

    mapper, columns = model._bin_mapper, int(model._n_features)  # noqa: SLF001 - there is no public view of trees
    categorical = np.asarray(mapper.is_categorical_)
    known = [np.asarray(values) for values in mapper.bin_thresholds_]
    if (
        model.n_features_in_ != columns
        or categorical.shape != (columns,)
        or categorical.dtype != np.uint8
        or len(known) != columns
    ):
        raise ValueError("its columns are not those that were binned")
    for is_category, values in zip(categorical, known, strict=True):
        # categories are numbers of bits in a set of 256
        if is_category and not ((values >= 0) & (values < 32 * _BITSET_WORDS)).all():
            raise ValueError("a category is outside of the set of categories")
    predictors = [predictor for iteration in model._predictors for predictor in iteration]  # noqa: SLF001
    if len(model._predictors) != len(predictors):  # noqa: SLF001
        raise ValueError("it has more than one tree in an iteration")
    for place, predictor in enumerate(predictors):
        try:
            _check_tree(predictor, categorical)
        except ValueError as err:
            raise ValueError(f"tree {place}: {err}") from err


def _check_tree(predictor: Any, categorical: NDArray[np.uint8]) -> None:
    import numpy as np
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes, bitsets = predictor.nodes, predictor.raw_left_cat_bitsets
    if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
        raise ValueError("its nodes are no table of nodes")
    for sets in (bitsets, predictor.binned_left_cat_bitsets):
        if not isinstance(sets, np.ndarray) or sets.dtype != np.uint32 or sets.shape[1:] != (_BITSET_WORDS,):
            raise ValueError("its sets of categories are no sets")
    places = np.arange(len(nodes))
    inner = nodes["is_leaf"] == 0
    for side in ("left", "right"):
        # a node is numbered before its children, so that there is no cycle
        children = nodes[side][inner].astype(np.int64)
        if not ((children > places[inner]) & (children < len(nodes))).all():
            raise ValueError("a child is outside of the tree, or no node after its parent")
    columns = nodes["feature_idx"][inner].astype(np.int64)
    if not ((columns >= 0) & (columns < len(categorical))).all():
        raise ValueError("a split is by a column that there is not")
    by_category = nodes["is_categorical"][inner] != 0
    if (by_category & (categorical[columns] == 0)).any():
        raise ValueError("a split is by categories of a column that has none")
    if not (nodes["bitset_idx"][inner][by_category] < len(bitsets)).all():
        raise ValueError("a set of categories is outside of the table of sets")
