"""How columns and scores are distributed, counted in cells, as `lockgate.gates.evidence.facts` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.gates.evidence.facts import Distribution

TOP_VALUES = 20
"""How many of the commonest values of a text column have a cell of their own."""

SCORED_ROWS = 10_000
"""The most training rows that are scored for the distribution of scores; out of more, evenly spread ones."""


def count_distributions(train: pd.DataFrame, holdout: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The fact `features`: every column of `train`, counted in `train` and in `holdout`."""
    return {str(name): _distribution(train[name], holdout[name]) for name in train.columns}


def recount(trained_features: object, holdout: pd.DataFrame) -> dict[str, dict[str, Any]] | None:
    """The fact `champion.features`: the training counts of another run, and these holdout rows in the same cells.

    `trained_features` is the fact `features` of that run; None if it is not valid. Columns that the holdout lacks, or
    whose counts cannot be read, are left out.
    """
    from lockgate.gates.errors import UnjudgeableError
    from lockgate.gates.evidence.facts import check_features, parse_distribution

    try:
        known_features = check_features(trained_features, path="features")
    except UnjudgeableError:
        return None
    counted = {}
    for name in known_features.keys() & set(map(str, holdout.columns)):
        try:
            distribution = parse_distribution(known_features[name], path=name)
        except UnjudgeableError:
            continue
        if distribution.kind == ("number" if _is_number(holdout[name]) else "name"):
            counts = _counts(holdout[name], distribution)
            counted[name] = {**distribution.model_dump(mode="json", exclude={"holdout"}), "holdout": counts}
    return counted


def count_scores(scores: NDArray[np.float64]) -> dict[str, Any]:
    """The fact `scores`, from the challenger's scores of training rows (n,)."""
    from lockgate.gates.stats.cell_shares import quantile_edges

    edges = quantile_edges(scores)
    return {"kind": "number", "edges": edges.tolist(), "train": _in_cells(scores, edges)}


def spread_rows(count: int, rows: int) -> NDArray[np.intp]:
    """The indices of `rows` rows out of `count`, evenly spread and always the same; all of them if there are fewer."""
    import numpy as np

    return np.unique(np.linspace(0, max(count - 1, 0), min(rows, count)).astype(np.intp))


def _is_number(column: pd.Series) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(column))


def _distribution(train: pd.Series, holdout: pd.Series) -> dict[str, Any]:
    from lockgate.gates.stats.cell_shares import quantile_edges

    if _is_number(train):
        edges = quantile_edges(train.dropna().to_numpy(dtype="float64"))
        return {
            "kind": "number",
            "edges": edges.tolist(),
            "train": _number_counts(train, edges),
            "holdout": _number_counts(holdout, edges),
        }
    commonest = train.value_counts()
    top = commonest.sort_index().nlargest(TOP_VALUES).index  # of equally common values, the first by name
    values = sorted(map(str, top))
    return {
        "kind": "name",
        "values": values,
        "train": _name_counts(train, values),
        "holdout": _name_counts(holdout, values),
    }


def _counts(column: pd.Series, distribution: Distribution) -> dict[str, Any]:
    import numpy as np

    if distribution.kind == "number":
        return _number_counts(column, np.array(distribution.edges))
    return _name_counts(column, distribution.values)


def _number_counts(column: pd.Series, edges: NDArray[np.float64]) -> dict[str, Any]:
    values = column.dropna().to_numpy(dtype="float64")
    return {**_in_cells(values, edges), "missing": len(column) - len(values)}


def _in_cells(values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    import numpy as np

    from lockgate.gates.stats.cell_shares import cell_of

    return {"cells": np.bincount(cell_of(values, edges), minlength=edges.size + 1).tolist()}


def _name_counts(column: pd.Series, values: Any) -> dict[str, Any]:
    counts: Mapping[Any, int] = column.value_counts().to_dict()
    by_name = {str(name): int(count) for name, count in counts.items()}
    cells = [by_name.get(value, 0) for value in values]
    present = sum(by_name.values())
    return {"cells": cells, "other": present - sum(cells), "missing": len(column) - present}
