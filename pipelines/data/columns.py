"""Check one column of a table and convert it to the type that its role needs.

A column is text (strings, categories) or numbers (integers, floats, booleans). Each function raises DataError for
anything else, with the name of the column and `where`, the key of the settings that declares it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.settings import DataSettings

MAX_LISTED_NAMES = 12


def list_options(names: Iterable[object]) -> str:
    """`one of a, b, c`; after twelve names, how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - MAX_LISTED_NAMES} more" if len(listed) > MAX_LISTED_NAMES else ""
    return f"one of {', '.join(listed[:MAX_LISTED_NAMES])}{more}" if listed else "none, as there is none"


def suggest_name(name: object, names: Iterable[object]) -> str:
    """`did you mean 'late'?` for the most similar name; "" if none is similar."""
    near = difflib.get_close_matches(str(name), [str(other) for other in names], n=1)
    return f"did you mean {near[0]!r}?" if near else ""


MISSING = "(missing)"
_NUMBER_TYPES = ("integer", "floating", "mixed-integer-float", "boolean")


def classify_column(column: pd.Series) -> str:
    """`text`, `to_numbers`, `nothing` (every value missing), or pandas' name of what else it holds, such as `date`."""
    import pandas as pd

    if column.isna().all():
        return "nothing"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "text"
    type_name = pd.api.types.infer_dtype(column, skipna=True)
    return "text" if type_name == "string" else "numbers" if type_name in _NUMBER_TYPES else type_name


def to_feature(column: pd.Series, *, where: str, categories: bool = False) -> pd.Series:
    """Text as pandas' `str`, numbers and empty columns as float64; NaN where a value is missing.

    With `categories`, a categorical column stays categorical, which saves memory where values repeat.
    """
    import pandas as pd

    kind = classify_column(column)
    if kind == "text":
        if column.dtype == "str" or (categories and isinstance(column.dtype, pd.CategoricalDtype)):
            return column
        return column.astype(object).map(str, na_action="ignore").astype("str")
    if kind in ("numbers", "nothing"):
        return _to_finite(column, where=where)
    raise DataError(
        f"column {column.name!r} holds {kind}",
        expected="numbers, booleans or text",
        where=where,
        hint=f"add {column.name} to data.exclude, or store what a model should learn from it as numbers",
    )


def to_numbers(column: pd.Series, *, where: str) -> NDArray[np.float64]:
    """float64 (n,), finite; NaN where a value is missing."""
    if (kind := classify_column(column)) not in ("numbers", "nothing"):
        example = column.dropna().iloc[0]
        raise DataError(f"column {column.name!r} holds {kind}, such as {example!r}", expected="numbers", where=where)
    return to_feature(column, where=where).to_numpy(dtype="float64")


def to_names(column: pd.Series, *, where: str, missing: str | None = None) -> NDArray[np.object_]:
    """str (n,): text as it is, whole numbers without a decimal point, midnights as 2013-10-05.

    Missing values become `missing`; without it they are an error. The text of a value does not depend on the others.
    """
    import numpy as np

    codes, text = _factorize(column, where=where, missing=missing)
    return np.asarray(text[codes])


def to_strings(column: pd.Series, *, where: str) -> pa.Array:
    """As `to_names`, as an Arrow array of strings (n,). Raises DataError for a missing value."""
    import pyarrow as pa

    codes, text = _factorize(column, where=where, missing=None)
    return pa.DictionaryArray.from_arrays(codes, pa.array(text[:-1], pa.string())).cast(pa.string())


def _factorize(column: pd.Series, *, where: str, missing: str | None) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
    """Each row's index in the array of distinct texts, whose last element is `missing`.

    There are usually few distinct values, so converting each only once is much faster.
    """
    import numpy as np
    import pandas as pd

    codes, values = pd.factorize(column)
    text, absent = [*_format_values(pd.Series(values))], int((codes < 0).sum())
    counted = f"is missing in {absent:,} of {len(column):,} rows"
    if absent and missing is None:
        raise DataError(f"column {column.name!r} {counted}", expected="a value in every row", where=where)
    if absent and missing in text:
        raise DataError(
            f"column {column.name!r} holds the text {missing!r}, and {counted}, which is called so",
            expected="another text for one of the two",
            where=where,
        )
    return codes, np.array([*text, missing], dtype=object)  # a missing value has code -1, the last


def _format_values(values: pd.Series) -> pd.Series:
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.dtype.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(values):
        days = values.dt.strftime("%Y-%m-%d")
        return pd.Series(days.where(values == values.dt.normalize(), values.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")))
    if pd.api.types.is_float_dtype(values):
        return values.astype(object).map(lambda number: str(int(number)) if number % 1 == 0 else str(number))
    return values.astype(object).map(str, na_action="ignore")


def to_labels(column: pd.Series, data: DataSettings) -> NDArray[np.float64]:
    """float64 (n,): 0 or 1 for task binary, a finite number for regression, NaN where the outcome is missing."""
    import numpy as np

    where, name = "data.target", column.name
    if data.positive is not None:
        texts = sorted(map(str, column.dropna().unique()))
        hit = column == data.positive
        if not hit.fillna(value=False).any():
            raise DataError(
                f"no row of target {name!r} is {data.positive!r}",
                expected=list_options(texts),
                where="data.positive",
                hint=suggest_name(data.positive, texts),
            )
        return np.where(column.isna().to_numpy(), np.nan, hit.fillna(value=False).to_numpy(dtype="float64"))
    if classify_column(column) == "text" and data.task == "binary":
        texts = sorted(map(str, column.dropna().unique()))
        raise DataError(
            f"target {name!r} holds text: {', '.join(texts[:5])}",
            expected="0, 1, true or false",
            where=where,
            hint=f"set data.positive={texts[0]}, or the value that counts as 1",
        )
    values = to_numbers(column, where=where)
    if data.task == "binary" and (other := sorted({*values[~np.isnan(values)]} - {0.0, 1.0})):
        raise DataError(
            f"target {name!r} holds {', '.join(f'{value:g}' for value in other[:5])}",
            expected="0 or 1",
            where=where,
            hint="set data.positive to the value that counts as 1, or data.task=regression",
        )
    return values


def _to_finite(column: pd.Series, *, where: str) -> pd.Series:
    import numpy as np
    import pandas as pd

    values = column.to_numpy(dtype="float64", na_value=np.nan)
    if infinite := int(np.isinf(values).sum()):
        raise DataError(
            f"column {column.name!r} is infinite in {infinite:,} rows",
            expected="finite numbers or nothing",
            where=where,
        )
    return pd.Series(values, name=column.name)
