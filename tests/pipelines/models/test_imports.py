"""What importing a model's code imports besides, in a fresh interpreter. Tests of pipelines/models/bare_xgboost.py."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "skops", "sklearn", "xgboost"}
BARE = "lockgate.pipelines.models.bare_xgboost"


def modules_after(code: str) -> set[str]:
    """The names in sys.modules of an interpreter that ran `code`."""
    command = [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps([*sys.modules]))"]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(child.stdout.splitlines()[-1]))


def test_declaring_costs_no_heavy_import() -> None:
    before = HEAVY & modules_after("import lockgate.gates.errors")  # what this package may not add to
    declaring = "import lockgate.gates.errors, lockgate.pipelines.data, lockgate.pipelines.models"
    assert HEAVY & modules_after(declaring) == before


def test_the_modules_of_xgb_do_not_load_scikit_learn() -> None:
    assert "sklearn" not in modules_after("import lockgate.pipelines.models.xgb as m; m.Params")


@pytest.mark.parametrize("first", ["pass", "import sklearn", "import xgboost"])
def test_bare_xgboost_adds_nothing_under_the_names_of_others(first: str) -> None:
    before, after = modules_after(first), modules_after(f"{first}; import {BARE}")
    names = {name for name in after - before if name.partition(".")[0] in ("sklearn", "xgboost")}
    assert not names
    assert f"{BARE}.core" in after


@pytest.mark.parametrize("first", ["pass", "import sklearn", "import xgboost"])
def test_bare_xgboost_trains_and_leaves_the_wrappers_whole(first: str) -> None:
    code = f"""{first}
import {BARE} as bare
rows, labels = [[1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1]
mine = bare.train({{"seed": 0}}, bare.DMatrix(rows, label=labels), 2)
import sklearn.base
import xgboost
theirs = xgboost.train({{"seed": 0}}, xgboost.DMatrix(rows, label=labels), 2)
assert mine.save_raw("ubj") == theirs.save_raw("ubj")
wrapped = xgboost.XGBClassifier(n_estimators=2).fit(rows, labels)
assert isinstance(wrapped, sklearn.base.ClassifierMixin) and len(wrapped.predict(rows)) == 4"""
    plain = modules_after(f"{first}\nimport lockgate.pipelines.models, sklearn.base, xgboost")
    missing = {name for name in plain - modules_after(code) if name.partition(".")[0] in ("sklearn", "xgboost")}
    assert not missing
