from __future__ import annotations

import zipfile
from io import BytesIO

import numpy as np
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import FORMATS, MODELS

load = FORMATS["skops"]


def test_a_type_that_is_not_trusted_is_refused(tmp_path) -> None:
    canary = tmp_path / "canary"
    pipeline = make_pipeline(FunctionTransformer(canary.write_text), LinearRegression())
    with pytest.raises(ModelError, match=r"these bytes are not skops: ValueError: it holds the type "):
        load(skops.io.dumps(pipeline))
    assert not canary.exists()


@pytest.mark.parametrize(
    "thing",
    [
        {"a": 1},
        DummyRegressor(),
        make_pipeline(DummyRegressor()),
        make_pipeline(ColumnTransformer([("numbers", "passthrough", ["x"])]), DummyRegressor()),
    ],
    ids=["dict", "no pipeline", "no columns", "not fitted"],
)
def test_what_is_no_fitted_pipeline(thing) -> None:
    with pytest.raises(ModelError, match=r"this skops holds .*expected a fitted Pipeline that starts with columns"):
        load(skops.io.dumps(thing))


def test_a_zip_that_is_no_skops() -> None:
    with BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("schema.json", "{}")
        blob = buffer.getvalue()
    with pytest.raises(ModelError, match="these bytes are not skops"):
        load(blob)


def test_logistic_is_binary_only(conf, rows, labels) -> None:
    params = MODELS["logistic"].Params.model_validate(conf("logistic"))
    with pytest.raises(ModelError) as caught:
        MODELS["logistic"].fit(rows, labels["regression"], params=params, task="regression", seed=0)
    assert str(caught.value) == (
        "logistic does not serve task regression; expected binary @ model.name (choose model=hist_gb or xgb)"
    )


def test_logistic_says_when_it_does_not_converge(conf, rows, labels) -> None:
    params = MODELS["logistic"].Params.model_validate(conf("logistic", max_iter=1))
    with pytest.raises(
        ModelError, match=r"logistic did not converge in 1 steps @ model.max_iter \(try model.max_iter=10\)"
    ):
        MODELS["logistic"].fit(rows, labels["binary"], params=params, task="binary", seed=0)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_baseline_is_the_mean(conf, rows, labels, task) -> None:
    model = MODELS["baseline"].fit(rows, labels[task], params=MODELS["baseline"].Params(), task=task, seed=0)
    np.testing.assert_allclose(model.score(rows), labels[task].mean())
