"""A fresh process scores again: what it answers, what it says when it cannot, and that nothing is left of it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.scoring.parity import fresh_process, measure_parity

CONF = Path(__file__).parents[3] / "conf" / "model"
RNG = np.random.default_rng(1)
ROWS = pd.DataFrame(
    {
        "hour": np.where(np.arange(300) % 7, RNG.normal(size=300), np.nan),
        "dest": pd.Series(np.where(np.arange(300) % 5, RNG.choice(["ü", "b", "c"], 300), None), dtype=object),
    }
)
LABELS = (np.arange(300) % 3 == 1).astype(float)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def fit(name: str):
    declared = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    model = MODELS[declared.pop("name")]
    few = {"trees": 20} if "trees" in declared else {}
    return model.fit(ROWS, LABELS, params=model.Params.model_validate({**declared, **few}), task="binary", seed=0)


@pytest.fixture(scope="module")
def baseline():
    return fit("baseline")


@pytest.fixture(scope="module")
def rescored(baseline):
    """The answer of one fresh process to `ROWS`, for several tests, as each process takes seconds to start."""
    model_bytes = baseline.to_bytes()
    with fresh_process("baseline") as fresh:
        sha256 = hashlib.sha256(model_bytes).hexdigest()
        answer = fresh.score(baseline.format, model_bytes, sha256=sha256, frame=ROWS)
        answer.result()
    return answer


def score_again(baseline, *, rows: pd.DataFrame = ROWS, scores=None, blob: bytes | None = None, **how):
    model_bytes = baseline.to_bytes()
    with fresh_process("baseline", **how) as fresh:
        sha256 = hashlib.sha256(model_bytes).hexdigest()
        again = fresh.score(baseline.format, model_bytes if blob is None else blob, sha256=sha256, frame=rows)
        fact = measure_parity(again, baseline.score(rows) if scores is None else scores)
        pid = fresh.child.pid
    assert gone(pid)
    return fact


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "xgb" else [pytest.mark.nightly]) for name in sorted(MODELS)]
)
def test_every_model_scores_alike(name: str) -> None:
    fact = score_again(fit(name))
    assert (fact["rows"], fact["python"]) == (300, sys.version.split()[0])
    assert fact["max_difference"] <= (0 if name in ("xgb", "baseline") else 1e-12)


def test_scores_that_differ(baseline, rescored) -> None:
    scores = baseline.score(ROWS)
    scores[17] += 0.25
    assert measure_parity(rescored, scores)["max_difference"] == pytest.approx(0.25)


def test_scores_that_are_no_numbers(rescored) -> None:
    assert measure_parity(rescored, np.full(300, np.nan)) == {"problem": "scores are not finite"}


def test_no_rows(baseline) -> None:
    assert score_again(baseline, rows=ROWS.iloc[:0])["rows"] == 0


def test_bytes_that_are_another_model(baseline) -> None:
    fact = score_again(baseline, blob=b"x" * 200_000)
    assert "the fresh process failed: the model's bytes have SHA-256" in fact["problem"]
    assert "\n" not in fact["problem"]


def test_other_columns() -> None:
    fact = score_again(fit("xgb"), rows=ROWS.drop(columns="hour"), scores=np.zeros(300))
    assert "the fresh process failed: column 'hour' is missing" in fact["problem"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import time; time.sleep(600)", "the fresh process did not answer within 1 s"),
        ("raise SystemExit(3)", "exit 3"),
        ("import sys; sys.exit('no room')", "the fresh process failed: no room"),
        ("import sys; sys.stdin.buffer.read(); print('hello')", "is not scores"),
        ("import sys; sys.stdin.buffer.read(); print('{}')", "answered 0 scores for 300 rows"),
        ("import sys; sys.stdin.buffer.read(); print('1'); print('x' * 9)", "is not scores"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit -9"),
    ],
)
def test_a_process_that_does_not_answer(baseline, code: str, message: str) -> None:
    fact = score_again(baseline, command=(sys.executable, "-c", code), seconds=1 if "sleep" in code else 120)
    assert message in fact["problem"]


def leave_early(baseline, pids: list[int]) -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
    with fresh_process("baseline", command=sleeper) as fresh:
        pids.append(fresh.child.pid)
        fresh.score(baseline.format, b"", sha256="", frame=ROWS)
        raise ZeroDivisionError


def test_leaving_early_leaves_nothing_behind(baseline) -> None:
    pids: list[int] = []
    with pytest.raises(ZeroDivisionError):
        leave_early(baseline, pids)
    assert gone(*pids)


def test_no_process_can_be_started(baseline, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a fresh process cannot be started: No such file"):
        score_again(baseline, command=(str(tmp_path / "python"),))


def test_it_ends_when_its_parent_is_killed() -> None:
    code = (
        "from lockgate.pipelines.scoring.parity import fresh_process; import time\n"
        "with fresh_process('xgb') as fresh: print(fresh.child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    while not gone(pid):  # or pytest ends it
        time.sleep(0.05)
