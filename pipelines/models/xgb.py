"""Model `xgb`: gradient-boosted trees of xgboost, saved as one UBJ file that includes the preprocessing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from lockgate.gates.errors import ModelError
from lockgate.gates.evidence.task import Task
from lockgate.pipelines.models import raw, ubj, ubj_model
from lockgate.pipelines.models.model import PARAMS_CONFIG, check_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xgboost
    from numpy.typing import NDArray

FORMAT = "xgboost-ubj"
OBJECTIVES: dict[Task, str] = {"binary": "binary:logistic", "regression": "reg:squarederror"}
MAX_ONE_THREAD_ROWS = 10_000
"""Fewer rows are trained on by one thread: more gain nothing, and lose much on a busy machine. Scores are the same."""

LARGEST_FLOAT32 = 3.4028234663852886e38
"""The largest float32, which xgboost computes with: what is greater is infinite to it."""

_LAYOUT_ATTRIBUTE = "lockgate"


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    trees: int = Field(ge=1, le=10_000)
    max_depth: int = Field(ge=1, le=20)
    learning_rate: float = Field(gt=0, le=1)
    min_child_weight: float = Field(ge=0, le=1e6)
    subsample: float = Field(gt=0, le=1)
    colsample_bytree: float = Field(gt=0, le=1)
    reg_lambda: float = Field(ge=0, le=1e6)
    max_bin: int = Field(ge=2, le=4096)
    tree_method: Literal["hist", "approx", "exact"]


class Layout(BaseModel):
    """How raw columns become the matrix for the trees. Saved inside the model, as JSON."""

    model_config = PARAMS_CONFIG
    version: Literal[1]
    columns: list[str]  # in the order of the matrix
    vocabularies: dict[str, list[str]]  # of the text columns: a value's code is its place here

    @model_validator(mode="after")
    def _agrees(self) -> Layout:
        if len(set(self.columns)) != len(self.columns) or not self.vocabularies.keys() <= set(self.columns):
            raise ValueError("a column is named twice, or has a vocabulary but no place")
        if any(len(set(values)) != len(values) for values in self.vocabularies.values()):
            raise ValueError("a value is twice in a vocabulary")
        return self

    def matrix(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """float64 (n, k), row-major; NaN for a value that is missing or never occurred in training.

        Otherwise xgboost would score an unknown category like the next larger known one.
        """
        import numpy as np

        raw.check_columns(frame, self.columns)
        matrix = np.empty((len(frame), len(self.columns)), dtype=np.float64)
        for place, name in enumerate(self.columns):
            vocabulary = self.vocabularies.get(name)
            matrix[:, place] = (
                raw.finite_numbers(frame[name], largest=LARGEST_FLOAT32)
                if vocabulary is None
                else raw.encode_codes(frame[name], vocabulary)
            )
        return matrix


@dataclass(frozen=True, slots=True)
class FittedXgb:
    booster: xgboost.Booster
    layout: Layout
    format: ClassVar[str] = FORMAT

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.layout.columns)

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        matrix = self.layout.matrix(frame)
        if not len(matrix):
            return np.empty(0, dtype=np.float64)
        return np.asarray(self.booster.inplace_predict(matrix, validate_features=False), dtype=np.float64)

    def to_bytes(self) -> bytes:
        return bytes(self.booster.save_raw("ubj"))


def fit(frame: pd.DataFrame, labels: NDArray[np.float64], *, params: Params, task: Task, seed: int) -> FittedXgb:
    """See `Model.fit`."""
    from lockgate.pipelines.models import bare_xgboost as xgboost

    check_rows(frame, labels, task=task)
    if beyond := int((abs(labels) > LARGEST_FLOAT32).sum()):
        raise ModelError(
            f"the target is beyond {LARGEST_FLOAT32:.3g} in {beyond} of {len(labels)} rows",
            expected="numbers that xgboost can compute with",
            hint="correct them, or choose model=hist_gb",
        )
    text = raw.list_text_columns(frame)
    layout = Layout(
        version=1, columns=list(frame.columns), vocabularies={c: raw.list_vocabulary(frame[c]) for c in text}
    )
    rows = xgboost.DMatrix(
        layout.matrix(frame),
        label=labels,
        feature_types=["c" if name in text else "q" for name in layout.columns],
        enable_categorical=True,
    )
    settings: Mapping[str, object] = params.model_dump(exclude={"trees"})
    booster = xgboost.train(
        {
            **settings,
            "objective": OBJECTIVES[task],
            "seed": seed,
            "nthread": 1 if len(frame) < MAX_ONE_THREAD_ROWS else 0,
        },
        rows,
        num_boost_round=params.trees,
    )
    booster.set_attr(**{_LAYOUT_ATTRIBUTE: layout.model_dump_json()})
    return _finish_booster(booster, layout)


def load(blob: bytes) -> FittedXgb:
    """The model in `xgboost-ubj` bytes. Raises ModelError if they are not such a model, or not saved by lockgate."""
    from lockgate.pipelines.models import bare_xgboost as xgboost

    layout = check(blob)
    try:
        booster = xgboost.Booster(model_file=bytearray(blob))
    except xgboost.XGBoostError as err:
        reason = str(err).splitlines()[0] if str(err) else "no reason given"
        raise ModelError(f"these bytes are not {FORMAT}: {reason}") from err
    return _finish_booster(booster, layout)


def check(blob: bytes) -> Layout:
    """The layout in `xgboost-ubj` bytes, which xgboost does not see. Raises ModelError as `load`."""
    try:
        document = ubj.parse_object(blob)
    except ValueError as err:
        raise ModelError(f"these bytes are not {FORMAT}: they are cut off or of another kind ({err})") from err
    layout = _read_layout(document)
    sizes = [len(layout.vocabularies[name]) if name in layout.vocabularies else None for name in layout.columns]
    try:
        ubj_model.check_model(document, vocabulary_sizes=sizes, objectives=frozenset(OBJECTIVES.values()))
    except ValueError as err:
        raise ModelError(f"these bytes are not {FORMAT}: {err}") from err
    return layout


def _read_layout(document: Mapping[str, object]) -> Layout:
    if not isinstance(document.get("learner"), Mapping):
        raise ModelError(f"these bytes are not {FORMAT}: there is no learner in them")
    attribute = ubj_model.read_attribute(document, _LAYOUT_ATTRIBUTE)
    if attribute is None:
        raise ModelError(f"this {FORMAT} has no preprocessing in it", expected=f"attribute {_LAYOUT_ATTRIBUTE!r}")
    try:
        return Layout.model_validate(json.loads(attribute))
    except (ValueError, RecursionError) as err:
        raise ModelError(f"the preprocessing in this {FORMAT} cannot be read") from err


def _finish_booster(booster: xgboost.Booster, layout: Layout) -> FittedXgb:
    booster.set_param({"nthread": 1})  # on a busy machine, threads that wait for each other take seconds instead of ms
    return FittedXgb(booster, layout)
