"""Hundreds of models that are nearly right, each scored in its own process: the others are judged, and nothing is left.

`pytest -m nightly tests/pipelines/scoring/test_mutants.py -s -n0` tries all of them and prints what became of them.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lockgate.gates.errors import ModelError
from lockgate.pipelines.models import FORMATS, MODELS
from lockgate.pipelines.scoring import process_tree
from lockgate.pipelines.scoring.confined import ConfinedModel, Confinement, open_confinement
from lockgate.pipelines.scoring.confined_limits import Limits
from tests.pipelines.models.mutants import mutate_skops, mutate_ubj
from tests.pipelines.scoring.test_confined import read_declared

LIMITS = Limits(memory_bytes=512 * 2**20, cpu_s=5, tasks=32)
SLACK_BYTES = 256 * 2**20
"""What a process has before it is limited, and what it can take between two looks."""

BARE_SERVER = (sys.executable, "-P", str(Path(__file__).with_name("bare_server.py")))
RNG = np.random.default_rng(7)
ROWS = pd.DataFrame(
    {
        "dest": pd.Series(RNG.choice(["b", "d", "f", None], 200), dtype="str"),
        "hour": RNG.integers(5, 24, 200).astype(float),
        "distance": np.where(RNG.random(200) < 0.1, np.nan, RNG.uniform(100, 3000, 200)),
    }
)
LABELS = (ROWS["hour"].to_numpy() / 10 + (ROWS["dest"] == "f").to_numpy() + RNG.normal(size=200) > 1.8).astype(float)
SKOPS_NAMES = ("hist_gb", "logistic", "baseline")


@pytest.fixture(scope="module")
def blobs() -> dict[str, bytes]:
    few = {"xgb": {"trees": 5, "max_depth": 4}, "hist_gb": {"max_iter": 5}}
    fitted = {}
    for name, model in MODELS.items():
        params = model.Params.model_validate({**read_declared(name), **few.get(name, {})})
        fitted[name] = model.fit(ROWS, LABELS, params=params, task="binary", seed=0).to_bytes()
    return fitted


def make_mutant(blobs: dict[str, bytes], format_: str, seed: int) -> tuple[str, bytes]:
    if format_.endswith("ubj"):
        return mutate_ubj(blobs["xgb"], seed)
    return mutate_skops(blobs[SKOPS_NAMES[seed % len(SKOPS_NAMES)]], seed)


def is_scored(confinement: Confinement, format_: str, blob: bytes) -> str:
    """Empty if a model is scored, and what is said if it is not."""
    sha256 = hashlib.sha256(blob).hexdigest()
    model = ConfinedModel(confinement=confinement, format=format_, blob=blob, sha256=sha256)
    try:
        scores = model.score(ROWS)
    except ModelError as err:
        return str(err)
    assert scores.shape == (len(ROWS),)
    assert np.isfinite(scores).all()
    return ""


STAGES = (
    (r"^$", "scored"),
    (r"scores that are not finite|cannot be scored|column .* is missing|holds .*expected numbers", "reached scoring"),
    (r"ended the process that scored it", "ended by a signal"),
    (r"more than .*(CPU|memory|processes)|more memory than|no answer", "ended by a limit"),
    (r"xgboost-ubj: \[\d\d:\d\d|bad_alloc|XGBoostError", "refused by its library"),
    (r"not skops: (?!ValueError: (it|its|a member|tree) |BadZip|KeyError: .*schema)", "refused by its library"),
    (r"this skops holds", "refused by its library"),
    (r"not (xgboost-ubj|skops)|preprocessing in this", "refused before its library"),
)


def find_stage(message: str) -> str:
    return next(stage for pattern, stage in STAGES if re.search(pattern, message))


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """The most that was used below this process while it lasts."""
    most: dict[str, float] = {"memory_bytes": 0, "threads": 0}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            usage = process_tree.measure_descendants()
            most["memory_bytes"] = max(most["memory_bytes"], usage.memory_bytes)
            most["threads"] = max(most["threads"], usage.threads)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def try_mutants(confinement: Confinement, format_: str, count: int, blobs: dict[str, bytes]) -> Counter[str]:
    """What became of so many mutants, each after the other; an honest model is scored after every tenth."""
    honest = blobs["xgb"] if format_.endswith("ubj") else blobs["logistic"]
    assert is_scored(confinement, format_, honest) == ""
    below = process_tree.measure_descendants()
    stages: Counter[str] = Counter()
    with watched() as most:
        for seed in range(count):
            _, blob = make_mutant(blobs, format_, seed)
            message = is_scored(confinement, format_, blob)
            stages[find_stage(message)] += 1
            assert "\n" not in message
            while process_tree.measure_descendants().processes > below.processes:
                time.sleep(0.001)  # or pytest ends it: something is left
            if seed % 10 == 9:
                assert is_scored(confinement, format_, honest) == ""
    # forks share what the server has imported, and each counts with it
    shared = 3 * below.memory_bytes
    assert most["memory_bytes"] < shared + LIMITS.memory_bytes + 8 * 2**20 + SLACK_BYTES
    assert most["threads"] <= below.threads + LIMITS.tasks + 4
    return stages


def print_shares(title: str, stages: Counter[str]) -> tuple[float, float]:
    """The shares of mutants that their library saw, and that were asked for scores, which are printed."""
    count = stages.total()
    scoring = stages["scored"] + stages["reached scoring"]
    library = scoring + stages["refused by its library"] + stages["ended by a signal"] + stages["ended by a limit"]
    shares = f"{library / count:.0%} reached the library, {scoring / count:.0%} scoring"
    listed = ", ".join(f"{number} {stage}" for stage, number in stages.most_common())
    print(f"\n{title}: {count} mutants; {shares}; {listed}")
    return library / count, scoring / count


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    with open_confinement(*FORMATS, limits=LIMITS) as confinement:
        yield confinement


@pytest.mark.parametrize(
    ("format_", "count"),
    [
        ("xgboost-ubj", 15),
        ("skops", 10),
        pytest.param("xgboost-ubj", 600, marks=pytest.mark.nightly),
        pytest.param("skops", 150, marks=pytest.mark.nightly),
    ],
)
def test_mutants_are_scored_or_refused(
    confinement: Confinement, blobs: dict[str, bytes], format_: str, count: int
) -> None:
    stages = try_mutants(confinement, format_, count, blobs)
    library, scoring = print_shares(format_, stages)
    assert library >= 0.3
    assert scoring >= 0.1
    assert not stages["ended by a signal"]  # what is checked before keeps libraries from crashing


@pytest.mark.nightly
@pytest.mark.parametrize(("format_", "count"), [("bare-ubj", 300), ("bare-skops", 100)])
def test_mutants_whose_bytes_nobody_checked_end_alone(blobs: dict[str, bytes], format_: str, count: int) -> None:
    with open_confinement(limits=LIMITS, command=BARE_SERVER) as confinement:
        stages = try_mutants(confinement, format_, count, blobs)
    library, _ = print_shares(format_, stages)
    assert library >= 0.3
    assert stages["ended by a signal"] or format_ != "bare-ubj"  # else the changes are harmless
