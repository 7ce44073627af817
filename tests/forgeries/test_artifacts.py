"""Attacks on what runs stored, by whoever may write to the datastore: nothing is executed, and nothing else served."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MB = 1 << 20


class Evil:
    """Writes a canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> Any:
        return exec, (f"import pathlib; pathlib.Path({str(self._canary)!r}).touch()",)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


PICKLES: dict[str, Callable[[Evil], bytes]] = {
    "REDUCE, protocol 0": lambda evil: pickle.dumps(evil, 0),
    "within a list": lambda evil: pickle.dumps([b"data", evil], 5),
    "behind the data": lambda evil: pickle.dumps(b"data", 4) + pickle.dumps(evil, 4),
    "a constant, then code": lambda evil: pickle.dumps(b"data", 4)[:-1] + pickle.dumps(evil, 4)[2:],
    "INST": lambda evil: f"(S{evil.__reduce__()[1][0]!r}\nibuiltins\nexec\n.".encode(),
    "OBJ": lambda evil: f"(cbuiltins\nexec\nS{evil.__reduce__()[1][0]!r}\no.".encode(),
}


def test_the_canary_sings_when_these_are_unpickled(canary: Path) -> None:
    """Or its silence below would mean nothing."""
    for name, make_pickle in PICKLES.items():
        if name != "behind the data":  # which a loader that stops at the first STOP never reaches
            pickle.loads(make_pickle(Evil(canary)))
            assert canary.exists(), name
            canary.unlink()


@pytest.mark.parametrize("name", ["evidence", "facts", "model"])
def test_a_pickle_with_code(scene: Any, canary: Path, name: str) -> None:
    for how, make_pickle in PICKLES.items():
        scene.put_artifact(scene.champion, name, gzip.compress(make_pickle(Evil(canary))))
        judged = scene.judge(scene.champion)
        assert (judged.code, judged.out) == (2, ""), how
        (problem,) = judged.err.splitlines()
        problem = scene.refusal_line() if name == "model" else problem
        assert (
            "the artifact is a pickle that does more than hold data" in problem or "goes on after its pickle" in problem
        )
        assert not canary.exists()
    deviations = scene.deviations()
    assert name == "facts" or "its artifacts cannot be read" in deviations[scene.champion]  # no entry binds facts
    assert not canary.exists()


def bomb(size: int) -> bytes:
    """So many zeros, in a thousandth of the room."""
    return gzip.compress(bytes(MB), compresslevel=9) * (size // MB)


@pytest.mark.parametrize("name", ["facts", "_success"])
def test_a_bomb(scene: Any, name: str) -> None:
    """1 GB of zeros in 4 MB."""
    stored = bomb(1024 * MB) + bytes(3 * MB)
    assert len(stored) <= 4.5 * MB
    scene.put_artifact(scene.champion, name, stored)
    judged = scene.judge(scene.champion)
    assert judged.code == 2
    assert "the artifact is too large once unpacked; expected at most" in judged.err
    assert judged.grown_mb < 100


@pytest.mark.parametrize("real", [False, True])
def test_the_bytes_of_another_model(scene: Any, *, real: bool) -> None:
    """Intact, and of a model that was promoted; only not this one."""
    other = scene.artifact(scene.former, "model")
    scene.put_artifact(scene.champion, "model", gzip.compress(pickle.dumps(other, 4)))
    problem = scene.refusal_line(real=real)
    assert scene.entry(2).state.champion.sha256 in problem
    if not real:
        assert "its model (SHA-256) is not what entry 2 binds" in scene.deviations()[scene.champion]


def test_a_model_of_which_one_bit_was_turned(scene: Any) -> None:
    model = bytearray(scene.artifact(scene.champion, "model"))
    model[len(model) // 2] ^= 1
    scene.put_artifact(scene.champion, "model", gzip.compress(pickle.dumps(bytes(model), 4)))
    assert scene.entry(2).state.champion.sha256 in scene.refusal_line()


@pytest.mark.parametrize("how", ["garbage", "gone"])
def test_a_model_that_is_none(scene: Any, how: str) -> None:
    if how == "garbage":
        scene.put_artifact(scene.champion, "model", b"garbage")
        assert "not what Metaflow stores" in scene.refusal_line()
    else:
        for run in scene.metaflow_folder.glob("EvaluateNewModel/data/*/*"):
            run.unlink()
        scene.refusal_line()
