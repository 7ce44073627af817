"""A model is scored in a process of its own: what it may not do there, what is said of it, and that nothing is left.

Tests of pipelines/scoring/confined_limits.py
Tests of pipelines/scoring/confined_server.py
Tests of pipelines/scoring/confined_worker.py
Tests of pipelines/scoring/process_tree.py
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.models.model import Fitted
from lockgate.pipelines.scoring import process_tree
from lockgate.pipelines.scoring.confined import ConfinedModel, Confinement, open_confinement
from lockgate.pipelines.scoring.confined_limits import Limits
from lockgate.pipelines.scoring.measuring import LATENCY_FACTS, measure_latency

SERVER = (sys.executable, "-P", str(Path(__file__).with_name("hostile_server.py")))
LIMITS = Limits(memory_bytes=256 * 2**20, cpu_s=1, tasks=32)
ROWS = pd.DataFrame({"x": np.arange(5.0)})
LINGER = "import os, time\ndef linger():\n open(f'{folder}/{os.getpid()}', 'w').close()\n time.sleep(600)\n"
"""Code of a process that stays: it can write to no file, but make an empty one, named as its process is."""


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    os.environ["AWS_SECRET_ACCESS_KEY"] = "s3cr3t-c4n4ry"
    try:
        with open_confinement(limits=LIMITS, command=SERVER) as confinement:
            yield confinement
    finally:
        del os.environ["AWS_SECRET_ACCESS_KEY"]


def run(confinement: Confinement, code: str) -> ConfinedModel:
    blob = code.encode()
    sha256 = hashlib.sha256(blob).hexdigest()
    return ConfinedModel(confinement=confinement, format="code", blob=blob, sha256=sha256)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


ENDINGS = {
    "segfault": ("import ctypes; ctypes.string_at(0)", "the model ended the process that scored it: SIGSEGV"),
    "abort": ("import os; os.abort()", "the model ended the process that scored it: SIGABRT"),
    "exit": ("raise SystemExit(0)", "gave no answer, and ended with status 70"),
    "exception": ("raise KeyError('a\\nb' * 999)", "it cannot be scored: KeyError: 'a"),
    "loop": ("while True: pass", "the model took more than 1 s of CPU time, and was ended"),
    "allocation": ("bytearray(2**40)", "it needs more memory than a model may have"),
    "children's memory": (
        "import os, time\nfor _ in range(6):\n if not os.fork(): held = b'x' * (90 * 2**20); break\ntime.sleep(600)",
        "the model took more than 256 MB of memory, and was ended",
    ),
    "threads": (
        "import threading as t, time\nt.stack_size(2**16)\nwhile True: t.Thread(target=time.sleep, args=[9]).start()",
        "the model started more than 32 processes and threads, and was ended",
    ),
    "forks": (
        "import os, time\nfor _ in range(7): os.fork()\ntime.sleep(600)",  # each counts with the memory that they share
        r"the model (started more than 32 processes and threads|took more than 256 MB of memory), and was ended",
    ),
    "garbage": ("import os; os.write(3, b'garbage'); os._exit(0)", "gave no answer, and ended with status 0"),
    "nesting": ("import os; os.write(3, b'[' * 90000 + b'\\n'); os._exit(0)", "ended with status 0"),
    "flood": (
        "import os\nwhile True: os.write(3, b'x' * 2**20)",
        "ended, and so did the one that watched it|ended the process that scored it: SIG|ended with status",
    ),
    "columns": ("columns = (1, 2)", "the model's columns are no list of names"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_becomes_of_a_model_is_one_line_and_the_next_is_judged(confinement: Confinement, name: str) -> None:
    code, message = ENDINGS[name]
    with pytest.raises(ModelError, match=message) as caught:
        _ = run(confinement, code).columns
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)
    assert run(confinement, "").columns == ("x",)


@pytest.mark.parametrize(("question_bytes", "more"), [(0, 0), (2**20, 2**23), (2**29, 2**32), (2**31, 2**32)])
def test_a_large_model_gets_no_more_memory_than_there_is_for_any(question_bytes: int, more: int) -> None:
    """Whoever made the bytes chose how many there are."""
    scaled = LIMITS.scale(rows=10_000, question_bytes=question_bytes)
    assert (scaled.memory_bytes, scaled.cpu_s) == (LIMITS.memory_bytes + more, LIMITS.cpu_s + 2)


def test_it_cannot_write(confinement: Confinement, tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(ModelError, match=r"it cannot be scored: OSError: .*File too large"):
        _ = run(confinement, f"open({str(file)!r}, 'w', buffering=1).write('x\\n')").columns
    assert file.read_bytes() == b""


def test_its_environment_holds_no_secret(confinement: Confinement) -> None:
    names = run(confinement, "import os; columns = [*os.environ, *os.environ.values()]").columns
    assert "PATH" in names
    assert not {"AWS_SECRET_ACCESS_KEY", "s3cr3t-c4n4ry"} & set(names)


def test_it_has_no_file_open_but_its_socket(confinement: Confinement) -> None:
    code = (
        "import os; fd = '/proc/self/fd/'; columns = [f'{n} {os.readlink(fd + n)}' for n in sorted(os.listdir(fd))[:4]]"
    )
    names = run(confinement, code).columns
    assert [name.split(":")[0] for name in names] == ["0 /dev/null", "1 /dev/null", "2 /dev/null", "3 socket"]


DESERTERS = {
    "child": "if not os.fork(): linger()",
    "orphan": "if not os.fork():\n if not os.fork(): linger()\n os._exit(0)",
    "orphan in a session of its own": "if not os.fork():\n os.setsid()\n if not os.fork(): linger()\n os._exit(0)",
    "orphan of a crash": "if not os.fork(): os.setsid(); linger()",
}


@pytest.mark.parametrize("name", DESERTERS)
def test_no_process_survives(confinement: Confinement, tmp_path: Path, name: str) -> None:
    end = "\nos.abort()" if "crash" in name else ""
    wait = "\nwhile not os.listdir(folder): time.sleep(0.01)"
    code = f"folder = {str(tmp_path)!r}\n{LINGER}{DESERTERS[name]}{wait}{end}"
    if end:
        with pytest.raises(ModelError, match="SIGABRT"):
            _ = run(confinement, code).columns
    else:
        assert run(confinement, code).columns == ("x",)
    (file,) = tmp_path.iterdir()
    assert is_gone(int(file.name))


@pytest.mark.parametrize("generations", [1, 2], ids=["watcher", "server"])
def test_whoever_it_kills_the_next_model_is_judged(confinement: Confinement, generations: int) -> None:
    code = (
        "import os, signal, time\npid = os.getpid()\n"
        f"for _ in range({generations}): pid = int(open(f'/proc/{{pid}}/stat').read().rpartition(')')[2].split()[1])\n"
        "os.kill(pid, signal.SIGKILL); time.sleep(600)"
    )
    with pytest.raises(ModelError, match="ended, and so did the one that watched it"):
        _ = run(confinement, code).columns
    assert run(confinement, "").columns == ("x",)


def test_a_model_that_waits_forever() -> None:
    with open_confinement(limits=LIMITS, seconds=1, command=SERVER) as confinement:
        model = run(confinement, "import time; time.sleep(600)")
        with pytest.raises(ModelError, match="the model gave no answer within 1 s, and was ended"):
            _ = model.columns


FORGERIES = {
    "not finite": (np.array([1, 2, np.nan, np.inf, 5.0]).tobytes(), "gave 2 scores that are not finite"),
    "too few": (np.arange(4.0).tobytes(), "the model gave 4 scores for 5 rows"),
    "too many": (np.arange(6.0).tobytes(), "the model gave 6 scores for 5 rows"),
    "none": (b"", "the model gave 0 scores for 5 rows"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_scores_are_checked_where_they_arrive(confinement: Confinement, name: str) -> None:
    packed, message = FORGERIES[name]
    with pytest.raises(ModelError, match=message):
        run(confinement, f"import os; os.write(3, b'{{}}\\n' + {packed!r}); os._exit(0)").score(ROWS)


TIMES = dict.fromkeys(LATENCY_FACTS, 1.0)


@pytest.mark.parametrize(
    "times",
    [None, [1.0], {}, {**TIMES, "more": 1.0}]
    + [{**TIMES, LATENCY_FACTS[1]: time} for time in (1, -1.0, float("inf"), float("nan"), "1", True)],
)
def test_times_are_checked_where_they_arrive(confinement: Confinement, times: object) -> None:
    answer = json.dumps({"ms": times}).encode() + b"\n"
    with pytest.raises(ModelError, match="the model's times are"):
        run(confinement, f"import os; os.write(3, {answer!r}); os._exit(0)").measure_latency(ROWS)


def fit(name: str) -> tuple[Fitted, pd.DataFrame]:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "hour": np.where(np.arange(300) % 7, rng.normal(size=300), np.nan),
            "dest": pd.Series(np.where(np.arange(300) % 5, rng.choice(["ü", "b", "c"], 300), None), dtype=object),
        }
    )
    labels = (np.arange(300) % 3 == 1).astype(float)
    changes = {"xgb": {"trees": 20}, "hist_gb": {"max_iter": 20}}.get(name, {})
    params = MODELS[name].Params.model_validate({**read_declared(name), **changes})
    return MODELS[name].fit(rows, labels, params=params, task="binary", seed=0), rows


def read_declared(name: str) -> dict[str, object]:
    import yaml

    file = Path(__file__).parents[3] / "conf" / "model" / f"{name}.yaml"
    declared = yaml.safe_load(file.read_text(encoding="utf-8"))
    del declared["name"]
    return dict(declared)


@pytest.fixture(scope="module")
def honest() -> Iterator[Confinement]:
    with open_confinement("skops", "xgboost-ubj") as confinement:
        yield confinement


def load(confinement: Confinement, model: Fitted) -> ConfinedModel:
    blob = model.to_bytes()
    return confinement.load(model.format, blob, sha256=hashlib.sha256(blob).hexdigest())


@pytest.mark.parametrize("name", MODELS)
def test_every_model_scores_as_it_does_here(honest: Confinement, name: str) -> None:
    fitted, rows = fit(name)
    model = load(honest, fitted)
    np.testing.assert_allclose(model.score(rows), fitted.score(rows), rtol=0, atol=1e-12)
    assert model.score(rows[:0]).shape == (0,)
    assert (model.columns, model.format) == (fitted.columns, fitted.format)
    measured = measure_latency(model, rows)
    for clock in ("ms", "cpu_ms"):
        assert 0 < measured[f"predict_{clock}_per_1000_p50"] <= measured[f"predict_{clock}_per_1000_p99"]


def test_what_a_library_says_is_handed_on(honest: Confinement) -> None:
    fitted, rows = fit("xgb")
    with pytest.raises(ModelError) as caught:
        load(honest, fitted).score(rows.drop(columns="hour").assign(hours=1.0))
    assert str(caught.value) == (
        "column 'hour' is missing from the rows to score; expected columns hour, dest (did you mean 'hours'?)"
    )
    with pytest.raises(ModelError, match=r"have SHA-256 .*; expected 0{64}"):
        honest.load("skops", b"PK", sha256="0" * 64)
    with pytest.raises(ModelError, match=r"'pickle' is not a model format; expected one of skops, xgboost-ubj"):
        honest.load("pickle", b"", sha256="")


@pytest.mark.nightly
def test_a_python_of_its_own_for_each_model() -> None:
    """As on systems where libraries do not survive a fork."""
    fitted, rows = fit("hist_gb")
    with open_confinement(command=(*SERVER, "fresh")) as confinement:
        np.testing.assert_allclose(load(confinement, fitted).score(rows), fitted.score(rows), rtol=0, atol=1e-12)
        with pytest.raises(ModelError, match="these bytes are not skops"):
            load(confinement, fitted).confinement.load("skops", b"PK", sha256=hashlib.sha256(b"PK").hexdigest()).score(
                rows
            )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/nowhere/python",), "cannot be started: No such file or directory @ /nowhere/python"),
        ((sys.executable, "-c", "import sys; sys.exit('no room')"), "cannot be started: no room"),
        ((sys.executable, "-c", ""), "cannot be started: exit 0"),
    ],
)
def test_a_server_that_does_not_start(command: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message), open_confinement(command=command) as confinement:
        _ = run(confinement, "").columns


def test_it_ends_when_whoever_asked_is_killed(tmp_path: Path) -> None:
    linger = f"folder = {str(tmp_path)!r}\n{LINGER}if not os.fork(): os.setsid(); linger()\nlinger()"
    code = (
        "import hashlib, sys; from lockgate.pipelines.scoring.confined import ConfinedModel, open_confinement\n"
        "blob = sys.argv[1].encode(); sha256 = hashlib.sha256(blob).hexdigest()\n"
        "with open_confinement(command=tuple(sys.argv[2:])) as confinement:\n"
        " ConfinedModel(confinement=confinement, format='code', blob=blob, sha256=sha256).columns\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, linger, *SERVER]) as parent:
        while len(list(tmp_path.iterdir())) < 2:  # or pytest ends it
            time.sleep(0.05)
        parent.send_signal(signal.SIGKILL)
    for file in tmp_path.iterdir():
        while not is_gone(int(file.name)):
            time.sleep(0.05)


@pytest.mark.nightly
def test_openmp_has_threads_inside() -> None:
    code = """
import os
import numpy as np, threadpoolctl
from sklearn.ensemble import HistGradientBoostingRegressor
with threadpoolctl.threadpool_limits(2, user_api="openmp"):
    HistGradientBoostingRegressor(max_iter=2).fit(np.arange(400.0)[:, None], np.arange(400.0))
columns = [str(len(os.listdir("/proc/self/task"))), str(min(2, len(os.sched_getaffinity(0))))]
"""
    with open_confinement(command=SERVER) as confinement:
        threads, expected = run(confinement, code).columns
    assert int(threads) >= int(expected)


def test_children_are_the_same_by_either_way_of_asking() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in process_tree._scan_children()(os.getpid())
        assert child.pid in process_tree._read_children(os.getpid())
        child.communicate(b"\n")


def test_what_descendants_use_is_counted() -> None:
    code = "import threading; threading.Thread(target=input).start(); print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        usage = process_tree.measure_descendants()
        child.communicate(b"\n\n")
    assert usage.processes >= 1
    assert usage.threads > usage.processes
    assert usage.memory_bytes > 2**20
