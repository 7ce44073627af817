from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xgboost

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import xgb


@pytest.fixture(scope="module")
def fitted(conf, rows, labels):
    return xgb.fit(rows, labels["binary"], params=xgb.Params.model_validate(conf("xgb")), task="binary", seed=0)


def test_the_layout_travels_inside_the_ubj(fitted) -> None:
    again = xgb.load(fitted.to_bytes())
    assert again.layout == fitted.layout
    assert again.layout.vocabularies == {"dest": ["b", "d", "f"], "carrier": ["B6", "UA"]}
    assert again.to_bytes() == fitted.to_bytes()


def test_a_target_too_great_for_float32(conf, rows, labels) -> None:
    params = xgb.Params.model_validate(conf("xgb"))
    with pytest.raises(ModelError, match=r"^the target is beyond 3.4e\+38 in 2 of 400 rows; expected numbers that xgb"):
        xgb.fit(rows, np.append(labels["regression"][:-2], [4e38, -1e200]), params=params, task="regression", seed=0)


def test_unseen_is_not_the_next_larger_known_category(fitted, rows) -> None:
    scores = {dest: fitted.score(rows.assign(dest=dest)) for dest in ("c", "d", "e", "f", None)}
    assert not np.array_equal(scores["c"], scores["d"])
    assert not np.array_equal(scores["e"], scores["f"])
    np.testing.assert_array_equal(scores["c"], scores[None])
    np.testing.assert_array_equal(scores["e"], scores[None])


def test_scores_agree_with_the_package_that_reads_the_bytes(fitted, rows) -> None:
    kinds = ["c" if name in fitted.layout.vocabularies else "q" for name in fitted.columns]
    matrix = xgboost.DMatrix(fitted.layout.matrix(rows), feature_types=kinds, enable_categorical=True)
    booster = xgboost.Booster(model_file=bytearray(fitted.to_bytes()))
    np.testing.assert_array_equal(fitted.score(rows), booster.predict(matrix).astype(np.float64))


def test_categories_of_another_dtype_score_alike(fitted, rows) -> None:
    as_category = rows.assign(dest=rows["dest"].astype("category"), carrier=rows["carrier"].astype(object))
    np.testing.assert_array_equal(fitted.score(as_category), fitted.score(rows))


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (None, "has no preprocessing in it"),
        ("{", "preprocessing in this xgboost-ubj cannot be read"),
        ('{"version": 2, "columns": ["x"], "vocabularies": {}}', "preprocessing in this xgboost-ubj cannot be read"),
    ],
)
def test_a_ubj_that_is_not_ours(attribute, message) -> None:
    booster = xgboost.train({"verbosity": 0}, xgboost.DMatrix(np.eye(4), label=np.arange(4)), num_boost_round=1)
    if attribute is not None:
        booster.set_attr(lockgate=attribute)
    with pytest.raises(ModelError, match=message):
        xgb.load(bytes(booster.save_raw("ubj")))


def test_a_model_cut_off_anywhere_never_ends_the_process(fitted, tmp_path) -> None:
    """In a process of its own, as the parser is native code."""
    (tmp_path / "model.ubj").write_bytes(fitted.to_bytes())
    code = """
import pathlib, random, sys
from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import xgb
blob, rng = bytearray(pathlib.Path(sys.argv[1]).read_bytes()), random.Random(0)
for cut in range(0, len(blob), max(1, len(blob) // 40)):
    try:
        xgb.load(bytes(blob[:cut]))
    except ModelError:
        continue
    raise SystemExit(f"a model of {cut} bytes was loaded")
"""
    completed = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.ubj"], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr


def test_more_trees_fit_better(conf, rows, labels) -> None:
    y = labels["regression"]
    errors = [
        np.abs(
            xgb.fit(rows, y, params=xgb.Params.model_validate(conf("xgb", trees=n)), task="regression", seed=0).score(
                rows
            )
            - y
        ).mean()
        for n in (1, 10, 100)
    ]
    assert errors == sorted(errors, reverse=True)
