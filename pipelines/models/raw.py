"""Raw columns as all models read them: numbers as float64, text as objects, in the order of training."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from lockgate.gates.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def list_text_columns(frame: pd.DataFrame) -> tuple[str, ...]:
    """Names of the columns that hold text; all others hold numbers."""
    import pandas as pd

    return tuple(str(name) for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name]))


def split_columns(frame: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Names of the columns with text, with numbers, and without any value."""
    nothing = [str(name) for name in frame.columns if frame[name].isna().all()]
    text = [name for name in list_text_columns(frame) if name not in nothing]
    return text, [str(name) for name in frame.columns if name not in {*text, *nothing}], nothing


def list_vocabulary(column: pd.Series) -> list[str]:
    """The distinct values of a text column, sorted, without missing ones."""
    return sorted({str(value) for value in column.dropna().unique()})


def encode_codes(column: pd.Series, vocabulary: Sequence[str]) -> NDArray[np.float64]:
    """The index of each value in the vocabulary, float64 (n,); NaN if it is missing or not in the vocabulary.

    Only the distinct values are looked up, which is much faster than looking up every row.

    Raises:
        ModelError: the column holds numbers, which would all count as never seen.
    """
    import numpy as np
    import pandas as pd

    _check_text(column)
    positions, values = pd.factorize(column)  # a missing value has position -1
    distinct = pd.Index(np.array([str(value) for value in values], dtype=object))
    places = pd.Index(np.array(vocabulary, dtype=object)).get_indexer(distinct).astype(np.float64)
    return np.append(np.where(places < 0, np.nan, places), np.nan)[positions]


LARGEST_FLOAT64 = 1.7976931348623157e308
"""The largest float64."""


def select_columns(
    frame: pd.DataFrame, columns: Sequence[str], text: Collection[str], *, largest: float = LARGEST_FLOAT64
) -> pd.DataFrame:
    """`columns` of the frame (n, k): those in `text` as object (str, NaN where missing), the others as float64.

    Raises:
        ModelError: a column is missing, is infinite or beyond `largest`, or holds numbers where training had text, or
            text for numbers.
    """
    import pandas as pd

    check_columns(frame, columns)
    selected = {
        name: _text_values(frame[name]) if name in text else finite_numbers(frame[name], largest=largest)
        for name in columns
    }
    return pd.DataFrame(selected, index=frame.index)


def check_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ModelError if the frame lacks one of `columns`."""
    for name in columns:
        if name not in frame.columns:
            near = difflib.get_close_matches(name, [str(other) for other in frame.columns], n=1)
            raise ModelError(
                f"column {name!r} is missing from the rows to score",
                expected=f"columns {', '.join(columns)}",
                hint=f"did you mean {near[0]!r}?" if near else "",
            )


def _check_text(column: pd.Series) -> None:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and column.notna().any():
        raise _type_error(column, trained="text", now="numbers", declare="text")


def _describe(column: pd.Series) -> str:
    import pandas as pd

    kind = pd.api.types.infer_dtype(column.dropna())
    return "text" if kind in ("string", "categorical") else kind


def _type_error(column: pd.Series, *, trained: str, now: str, declare: str) -> ModelError:
    """The error for a column of another type than in training: none of its values would be one that was learned."""
    name = json.dumps(str(column.name), ensure_ascii=False)
    return ModelError(
        f"column {column.name!r} holds {now} here, and held {trained} when the model was trained",
        expected=f"{trained}, as in training",
        where=str(column.name),
        hint=f"declare types: {{{name}: {declare}}} in conf/data"
        + (", with the words that mean missing in nulls" if trained == "numbers" else ""),
    )


def _text_values(column: pd.Series) -> pd.Series:
    import numpy as np
    import pandas as pd

    _check_text(column)
    positions, values = pd.factorize(column)
    text = np.array([*map(str, values), np.nan], dtype=object)
    return pd.Series(text[positions], index=column.index, dtype=object)


def finite_numbers(column: pd.Series, *, largest: float = LARGEST_FLOAT64) -> pd.Series:
    """float64, NaN where a value is missing. Raises ModelError if a value is no number, infinite or beyond ±`largest`.

    largest: what the model computes with; xgboost, in float32, takes greater numbers for infinite ones.
    """
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column):
        if column.notna().any():
            raise _type_error(column, trained="numbers", now=_describe(column), declare="decimal")
        return pd.Series(np.nan, index=column.index, name=column.name, dtype="float64")
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    beyond = np.abs(values) > largest
    if beyond.any():
        if infinite := int(np.isinf(values).sum()):
            raise ModelError(f"column {column.name!r} is infinite in {infinite} rows", expected="finite numbers")
        raise ModelError(
            f"column {column.name!r} holds {values[beyond][0]:.4g}, and is beyond {largest:.3g} in"
            f" {int(beyond.sum())} of {len(values)} rows",
            expected="numbers that this model can compute with",
            hint="correct them, leave the column out, or choose model=hist_gb",
        )
    return pd.Series(values, index=column.index, name=column.name)
