"""Format `skops`: a scikit-learn Pipeline that starts with a ColumnTransformer, saved without pickle.

The transformer knows the raw columns (`feature_names_in_`) and which of them are text (its part named `text`), so
nothing else has to be saved.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import raw, skops_archive, skops_trees

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

FORMAT = "skops"
PIPELINE_TYPES = frozenset(
    (
        "builtins.dict",
        "builtins.list",
        "builtins.slice",
        "builtins.str",
        "builtins.tuple",
        "numpy.ndarray",
        "sklearn.compose._column_transformer.ColumnTransformer",
        "sklearn.pipeline.Pipeline",
    )
)
"""The types that every such pipeline is made of. What a model adds to them are its `TYPES`."""


def limit_to_one_thread() -> AbstractContextManager[object]:
    """Limit OpenMP to one thread.

    If another process keeps a core busy, scikit-learn's boosting spins while its threads wait for each other: 250
    rounds on 240,000 rows took 4 s with one thread, and up to 79 s with two threads on two cores.
    """
    import threadpoolctl

    limits: AbstractContextManager[object] = threadpoolctl.threadpool_limits(limits=1, user_api="openmp")
    return limits


@dataclass(frozen=True, slots=True)
class FittedPipeline:
    pipeline: Any  # sklearn.pipeline.Pipeline; scikit-learn has no types
    format: ClassVar[str] = FORMAT

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(map(str, self.pipeline.feature_names_in_))

    @property
    def text(self) -> frozenset[str]:
        return frozenset(
            str(name) for part, _, names in self.pipeline[0].transformers for name in names if part == "text"
        )

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        rows = raw.select_columns(frame, self.columns, self.text)
        if rows.empty:
            return np.empty(0, dtype=np.float64)
        with limit_to_one_thread():
            if hasattr(self.pipeline[-1], "classes_"):
                return np.asarray(self.pipeline.predict_proba(rows)[:, 1], dtype=np.float64)
            return np.asarray(self.pipeline.predict(rows), dtype=np.float64)

    def to_bytes(self) -> bytes:
        import skops.io

        return bytes(skops.io.dumps(self.pipeline))


def check(blob: bytes, *, types: Collection[str]) -> None:
    """Raise ModelError if `blob` cannot be such a model, or holds other types. scikit-learn does not see it."""
    try:
        skops_archive.check_archive(blob, types)
    except (zipfile.BadZipFile, EOFError, LookupError, NotImplementedError, OSError, RecursionError, ValueError) as err:
        raise ModelError(f"these bytes are not {FORMAT}: {type(err).__name__}: {err}") from err


def load(blob: bytes, *, types: Collection[str]) -> FittedPipeline:
    """The model in `skops` bytes. Raises ModelError if they are not such a model, or hold other types than `types`."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    check(blob, types=types)
    try:
        pipeline = skops.io.loads(blob, trusted=sorted(types))
        if not _is_ours(pipeline):
            raise ModelError(
                f"this {FORMAT} holds {type(pipeline).__name__}", expected="a fitted Pipeline that starts with columns"
            )
        if hasattr(pipeline[-1], "_predictors"):
            skops_trees.check_boosting(pipeline[-1])
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        ImportError,
        LookupError,
        NotImplementedError,
        OSError,
        RecursionError,
        TypeError,
        UntrustedTypesFoundException,
        ValueError,
    ) as err:
        raise ModelError(f"these bytes are not {FORMAT}: {type(err).__name__}: {err}") from err
    return FittedPipeline(pipeline)


def _is_ours(pipeline: object) -> bool:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    return (
        isinstance(pipeline, Pipeline)
        and len(pipeline) > 1
        and isinstance(pipeline[0], ColumnTransformer)
        and hasattr(pipeline, "feature_names_in_")
    )
