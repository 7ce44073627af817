"""What every model does, over all of `MODELS` and all tasks that it serves.

Tests of pipelines/models/baseline.py
Tests of pipelines/models/hist_gb.py
Tests of pipelines/models/logistic.py
Tests of pipelines/models/model.py
Tests of pipelines/models/raw.py
"""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import FORMATS, MODELS, check_loadable, load_model

SERVED = [
    (name, task) for name in MODELS for task in ("binary", "regression") if (name, task) != ("logistic", "regression")
]


def digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


@pytest.fixture(scope="module")
def trained(conf, rows, labels):
    def train(name, task, *, frame=rows, seed=0, **changes):
        params = MODELS[name].Params.model_validate(conf(name, **changes))
        return MODELS[name].fit(frame, labels[task][: len(frame)], params=params, task=task, seed=seed)

    return train


@pytest.fixture(scope="module", params=SERVED, ids="-".join)
def fitted(request, trained):
    return request.param, trained(*request.param)


def test_scores_are_finite_and_aligned(fitted, rows) -> None:
    (name, task), model = fitted
    scores = model.score(rows)
    assert (scores.dtype, scores.shape) == (np.dtype(np.float64), (400,))
    assert np.isfinite(scores).all()
    if task == "binary":
        assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_array_equal(model.score(rows[::-1]), scores[::-1])
    assert (np.ptp(scores) > 0) == (name != "baseline")


def test_what_is_fitted_has_the_format_that_its_kind_says(fitted) -> None:
    (name, _), model = fitted
    assert model.format == MODELS[name].FORMAT
    assert MODELS[name].FORMAT in FORMATS


def test_a_round_trip_scores_bit_identically(fitted, rows) -> None:
    _, model = fitted
    blob = model.to_bytes()
    again = load_model(model.format, blob, sha256=digest(blob))
    assert (type(again), again.columns) == (type(model), model.columns)
    assert again.score(rows).tobytes() == model.score(rows).tobytes()
    assert (
        load_model(again.format, again.to_bytes(), sha256=digest(again.to_bytes())) if again.format != "skops" else True
    )


def test_the_same_seed_gives_the_same_scores(fitted, trained, rows) -> None:
    (name, task), model = fitted
    assert trained(name, task).score(rows).tobytes() == model.score(rows).tobytes()


def test_columns_by_name_not_by_place(fitted, rows) -> None:
    _, model = fitted
    assert model.columns == ("dest", "hour", "carrier", "distance")
    other = rows[["distance", "carrier", "dest", "hour"]].assign(more="x")
    np.testing.assert_array_equal(model.score(other), model.score(rows))


@pytest.mark.parametrize("unseen", ["a", "c", "e", "g", "", "nan", "None", "\U0001f6eb"])
def test_an_unseen_category_is_as_good_as_missing(fitted, rows, unseen) -> None:
    _, model = fitted
    missing = model.score(rows.assign(dest=pd.Series([None] * 400, dtype="str")))
    np.testing.assert_array_equal(model.score(rows.assign(dest=unseen)), missing)
    np.testing.assert_array_equal(model.score(rows.assign(dest=None)), missing)


def test_the_unseen_differ_from_the_known(fitted, rows) -> None:
    (name, _), model = fitted
    known_values, unseen = model.score(rows.assign(dest="f")), model.score(rows.assign(dest="e"))
    assert name == "baseline" or not np.array_equal(known_values, unseen)


def test_nothing_but_missing_values_is_scored(fitted, rows) -> None:
    _, model = fitted
    assert np.isfinite(model.score(pd.DataFrame({name: [None] * 3 for name in rows}))).all()
    assert np.isfinite(model.score(pd.DataFrame({name: [np.nan] for name in rows}))).all()


def test_a_column_without_any_value_can_be_trained_on(trained, rows, fitted) -> None:
    (name, task), _ = fitted
    for empty in (pd.Series([None] * 400, dtype="str"), np.full(400, np.nan)):
        frame = rows.assign(empty=empty)
        model = trained(name, task, frame=frame)
        assert np.isfinite(model.score(frame)).all()
        blob = model.to_bytes()
        assert (
            load_model(model.format, blob, sha256=digest(blob)).score(frame).tobytes() == model.score(frame).tobytes()
        )


@pytest.mark.parametrize("columns", [["dest", "carrier"], ["hour", "distance"], ["dest"], ["hour"]])
def test_text_only_and_numbers_only(trained, rows, fitted, columns) -> None:
    (name, task), _ = fitted
    model = trained(name, task, frame=rows[columns])
    blob = model.to_bytes()
    assert load_model(model.format, blob, sha256=digest(blob)).score(rows).tobytes() == model.score(rows).tobytes()


def test_no_rows_give_no_scores(fitted, rows) -> None:
    assert fitted[1].score(rows[:0]).shape == (0,)


def test_a_missing_column_is_named(fitted, rows) -> None:
    _, model = fitted
    with pytest.raises(ModelError) as caught:
        model.score(rows.drop(columns="distance").assign(distanse=1.0))
    assert str(caught.value) == (
        "column 'distance' is missing from the rows to score; expected columns dest, hour, carrier, distance "
        "(did you mean 'distanse'?)"
    )


def test_text_where_numbers_were_learned_is_named(fitted, rows) -> None:
    with pytest.raises(ModelError, match=r"column 'hour' holds text here, and held numbers .*; expected numbers, as"):
        fitted[1].score(rows.assign(hour="noon"))
    with pytest.raises(ModelError, match=r"column 'hour' is infinite in 400 rows"):
        fitted[1].score(rows.assign(hour=np.inf))


@pytest.mark.parametrize(("value", "beyond"), [(1.6e308, {"logistic", "xgb"}), (-2.5e39, {"xgb"}), (3.4e38, set())])
def test_a_number_too_great_for_a_model_is_named(trained, fitted, rows, value, beyond) -> None:
    (name, task), model = fitted
    great = rows.assign(distance=rows["distance"].where(rows.index >= 3, value))
    if name not in beyond:
        assert np.isfinite(trained(name, task, frame=great).score(great)).all()
        return
    with pytest.raises(
        ModelError,
        match=rf"column 'distance' holds {re.escape(format(value, 'g'))}, and is beyond \S+ in 3 of 400 rows; exp",
    ):
        trained(name, task, frame=great)
    if name == "xgb":
        with pytest.raises(ModelError, match=r"column 'distance' holds \S+, and is beyond 3.4e\+38 in 3 of 400 rows"):
            model.score(great)


def test_another_type_than_in_training_is_never_taken_for_values_that_were_never_seen(fitted, rows) -> None:
    """Digits as text, and numbers as what was text: the same values to a reader, and none of them to a model."""
    with pytest.raises(
        ModelError, match=r"column 'carrier' holds numbers here, and held text when the model was train"
    ):
        fitted[1].score(rows.assign(carrier=np.arange(400.0)))
    digits = rows["hour"].astype(int).astype(str)
    for column in (digits.astype("str"), digits.astype("category"), digits.astype(object)):
        with pytest.raises(
            ModelError, match=r"'hour' holds text here, .* \(declare types: {\"hour\": decimal} in conf"
        ):
            fitted[1].score(rows.assign(hour=column))
    missing = rows.assign(carrier=np.nan, hour=pd.Series([None] * 400, dtype="str"))
    assert np.isfinite(fitted[1].score(missing)).all()


def test_many_categories(trained, labels, fitted) -> None:
    (name, task), _ = fitted
    frame = pd.DataFrame({"id": pd.Series([f"v{i % 390}" for i in range(400)], dtype="str"), "x": np.arange(400.0)})
    model = trained(name, task, frame=frame)
    unseen = model.score(frame.assign(id="new"))
    np.testing.assert_array_equal(unseen, model.score(frame.assign(id=None)))


@pytest.mark.parametrize(
    ("frame", "values", "message"),
    [
        (pd.DataFrame({"x": []}), [], "nothing to learn from: 0 rows of 1 columns"),
        (pd.DataFrame(index=[0, 1]), [0, 1], "nothing to learn from: 2 rows of 0 columns"),
        (pd.DataFrame({"x": [None, None]}), [0, 1], "nothing to learn from: no value in 2 rows of 1 columns"),
        (pd.DataFrame({"x": [1.0, 2.0]}), [0], r"2 rows but labels of shape \(1,\)"),
        (pd.DataFrame({"x": [1.0, 2.0]}), [0, np.nan], "1 labels are missing or infinite"),
        (pd.DataFrame({"x": [1.0, 2.0]}), [1, 1], "labels are 1; expected 0 and 1, both of them"),
        (pd.DataFrame({"x": [1.0, 2.0]}), [1, 2], "labels are 1, 2; expected 0 and 1"),
    ],
)
@pytest.mark.parametrize("name", MODELS)
def test_what_nothing_can_be_learned_from(conf, name, frame, values, message) -> None:
    params = MODELS[name].Params.model_validate(conf(name))
    with pytest.raises(ModelError, match=message):
        MODELS[name].fit(frame, np.array(values, dtype=float), params=params, task="binary", seed=0)


@pytest.mark.parametrize("name", MODELS)
def test_hyperparameters_have_no_default_and_are_bounded(conf, name) -> None:
    record = MODELS[name].Params
    assert set(record.model_fields) == set(conf(name))
    for key in record.model_fields:
        for bad in (-1, float("nan"), float("inf"), "1", True, None):
            with pytest.raises(ValidationError):
                record.model_validate(conf(name) | {key: bad})
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        record.model_validate(conf(name) | {"max_dpeth": 4})


@pytest.mark.parametrize(("depth", "accepted"), [(0, False), (1, True), (20, True), (21, False), (4.0, False)])
def test_depth_is_from_1_to_20(conf, depth, accepted) -> None:
    for name in ("xgb", "hist_gb"):
        if accepted:
            MODELS[name].Params.model_validate(conf(name, max_depth=depth))
        else:
            with pytest.raises(ValidationError, match="max_depth"):
                MODELS[name].Params.model_validate(conf(name, max_depth=depth))


def test_the_digest_comes_before_the_parser(fitted) -> None:
    _, model = fitted
    blob = model.to_bytes()
    with pytest.raises(ModelError, match=r"the model's bytes have SHA-256 [0-9a-f]{64}; expected 0{64}"):
        load_model(model.format, blob, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"have SHA-256"):  # not: no such format
        load_model(model.format, blob + b"\0", sha256=digest(blob))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("blob", [b"", b"{", b"PK\x03\x04", b"\x80\x04K\x01.", b"garbage" * 1000, bytes(1000)])
@pytest.mark.parametrize("parse", [load_model, check_loadable])
def test_bytes_that_are_no_model(format_, blob, parse) -> None:
    with pytest.raises(ModelError, match=f"these bytes are not {format_}"):
        parse(format_, blob, sha256=digest(blob))


def test_a_truncated_model(fitted) -> None:
    _, model = fitted
    blob = model.to_bytes()[:-40]
    with pytest.raises(ModelError, match=f"these bytes are not {model.format}"):
        load_model(model.format, blob, sha256=digest(blob))


def test_an_unknown_format() -> None:
    with pytest.raises(ModelError, match=r"'pickle' is not a model format; expected one of skops, xgboost-ubj"):
        load_model("pickle", b"", sha256=digest(b""))
