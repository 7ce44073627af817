"""Artifacts of real runs: how they are read, and what is refused.

Metaflow reads its configuration when it is imported, so everything here happens in other processes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CLAIM = """
import json, sys
from lockgate.gates import runs
from lockgate.gates.errors import LockgateError
for line in sys.stdin:
    try:
        claim = runs.load_claim(json.loads(line))
        facts = claim.evidence.facts
        answer = {"claim": [claim.run, claim.evidence.n, facts["challenger"]["run"], *sorted(claim.tags)]}
    except LockgateError as err:
        answer = {"error": f"{type(err).__name__}: {err}"}
    print(json.dumps(answer), flush=True)
"""
FLOW = """
from metaflow import FlowSpec, Parameter, current, step

class Canary:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path({canary!r}).touch()",))

class EvaluateNewModel(FlowSpec):
    kind = Parameter("kind")

    @step
    def start(self):
        self.evidence, self.facts, self.model = b"Arrow", "{{}}", b"model"
        if self.kind == "evil":
            self.evidence = self.facts = self.model = Canary()
        self.next(self.end)

    @step
    def end(self):
        if self.kind == "failed":
            raise SystemExit(1)

if __name__ == "__main__":
    EvaluateNewModel()
"""
RESUMED = " (a resumed run scores again if it is resumed from the step that scores)"


class Canary:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return exec, (f"import pathlib; pathlib.Path({str(self._path)!r}).touch()",)


class Reader:
    """A copy of the project in which a model was promoted, and a process that reads claims of its runs.

    One for all tests of this file, as importing Metaflow takes seconds: whoever changes the project puts it back.
    """

    def __init__(self, project: Any) -> None:
        self.home: Path = project.home
        (self.run,) = project.runs()
        (self._index,) = (self.home / ".metaflow" / self.run / "end").glob("[0-9]*/0.data.json")
        self._own_keys = set(json.loads(self._index.read_text(encoding="utf-8"))["objects"].values())
        self._process = subprocess.Popen(
            [sys.executable, "-c", CLAIM],
            cwd=project.home,
            env=project.env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def load_claim(self, run: str) -> list[Any]:
        answer = self._ask(run)
        assert "error" not in answer, answer
        claim: list[Any] = answer["claim"]
        return claim

    def refuse(self, run: str) -> str:
        """The error in one line."""
        answer = self._ask(run)
        assert "error" in answer, answer
        message: str = answer["error"]
        assert "\n" not in message
        return message

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    @contextmanager
    def pointing(self, artifact: str, key: str | None) -> Iterator[None]:
        """While the artifact is another blob, as somebody who may write to the datastore can make it; None: there is no
        such artifact."""
        before = self._index.read_text(encoding="utf-8")
        index = json.loads(before)
        del index["objects"][artifact]
        index["objects"] |= {artifact: key} if key else {}
        self._index.write_text(json.dumps(index), encoding="utf-8")
        try:
            yield
        finally:
            self._index.write_text(before, encoding="utf-8")

    def store_blob(self, stored: bytes) -> str:
        """The key of a new blob in the datastore."""
        key = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
        folder = self.home / ".metaflow" / "EvaluateNewModel" / "data" / key[:2]
        folder.mkdir(exist_ok=True)
        assert key not in self._own_keys, "this would overwrite a blob of the run itself"
        (folder / key).write_bytes(stored)
        (folder / f"{key}_meta").write_text(json.dumps({"cas_raw": False, "cas_version": 1}), encoding="utf-8")
        return key

    def _ask(self, run: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(run) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, promoted_project: Any) -> Iterator[Reader]:
    reader = Reader(promoted_project.copy(tmp_path_factory.mktemp("claims")))
    yield reader
    reader.close()


def test_a_run_is_read_back_with_its_tags(reader: Reader) -> None:
    assert reader.load_claim(reader.run) == [reader.run, 666, reader.run, "champion", "deployment_candidate"]


@pytest.mark.parametrize("name", ["evidence", "facts", "_success"])
@pytest.mark.parametrize("how", ["canary", "proto0", "after", "bomb", "garbage", "no gzip", "number"])
def test_a_tampered_artifact_is_refused_and_never_loaded(reader: Reader, tmp_path: Path, name: str, how: str) -> None:
    canary = tmp_path / "canary"
    evil = Canary(canary)
    stored = {
        "canary": lambda: gzip.compress(pickle.dumps(evil, protocol=4)),
        "proto0": lambda: gzip.compress(pickle.dumps(evil, protocol=0)),
        "after": lambda: gzip.compress(pickle.dumps("{}", protocol=4) + pickle.dumps(evil, protocol=4)),
        "bomb": lambda: gzip.compress(bytes(64 * 1024**2)),
        "garbage": lambda: gzip.compress(b"\x80\x04garbage"),
        "no gzip": lambda: b"\x80\x04}.",  # not the bytes of True: that blob is the run's own
        "number": lambda: gzip.compress(pickle.dumps(7, protocol=4)),
    }[how]()
    with reader.pointing(name, reader.store_blob(stored)):
        message = reader.refuse(reader.run)
    assert message.startswith(("EvidenceError", "RunError")), message
    assert reader.run in message
    assert not canary.exists()


def test_a_bomb_is_stopped_at_the_cap(reader: Reader) -> None:
    """64 MB of zeros in 64 kB: refused by what `facts` may hold, long before they are all there."""
    with reader.pointing("facts", reader.store_blob(gzip.compress(bytes(64 * 1024**2 + 1)))):
        assert "too large once unpacked; expected at most 16,777" in reader.refuse(reader.run)


def test_an_evil_run_is_refused_by_the_command_too(project: Any, tmp_path: Path) -> None:
    """Runs of a stranger's flow of the same name: one whose artifacts are code, one that failed, one of nothing."""
    canary = tmp_path / "canary"
    (tmp_path / "flow.py").write_text(FLOW.format(canary=str(canary)), encoding="utf-8")
    refusals = {}
    for kind in ("evil", "failed", "plain"):
        completed = project.python("flow.py", "--no-pylint", "run", "--kind", kind, METAFLOW_USER="mallory")
        assert (completed.returncode == 0) == (kind != "failed"), completed.stderr
        judged = project.run("judge", project.runs()[-1])
        assert judged.returncode == 2
        assert judged.stdout == ""
        (refusals[kind],) = judged.stderr.splitlines()
    assert "does more than hold data" in refusals["evil"]
    assert "finished run" in refusals["failed"]
    assert "Arrow" in refusals["plain"]
    assert not canary.exists()
    assert project.history() == []


def test_the_canary_sings_when_it_is_unpickled(tmp_path: Path) -> None:
    """Or its silence above would mean nothing."""
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("EvaluateNewModel/999", "there is no such run"),
        ("NoFlow/1", "there is no such run"),
        ("EvaluateNewModel", "is not a run"),
        ("EvaluateNewModel/1/start", "is not a run"),
        ("/", "is not a run"),
        ("", "is not a run"),
        ("../x", "no such run"),
        ("EvaluateNewModel/..", ""),
        ("EvaluateNewModel/\n1", ""),
    ],
)
def test_a_run_that_is_not_there(reader: Reader, run: str, message: str) -> None:
    line = reader.refuse(run)
    assert line.startswith(("RunError", "NoSuchRunError"))
    assert message in line


def test_an_unfinished_run_is_refused(reader: Reader) -> None:
    end = reader.home / ".metaflow" / reader.run / "end"
    aside = end.rename(reader.home / "end")
    message = reader.refuse(reader.run)
    aside.rename(end)
    assert "not finished" in message or "no such run" in message


def test_artifacts_that_are_missing_or_gone_are_said(reader: Reader) -> None:
    with reader.pointing("evidence", "0" * 40):
        assert "gone from the datastore" in reader.refuse(reader.run)
    with reader.pointing("evidence", None):
        assert "no such artifact" in reader.refuse(reader.run)


def test_the_evidence_of_another_run_is_refused(promoted: Any) -> None:
    """A run that is a copy of the promoted one, artifacts and all: its evidence names the other."""
    (run,) = promoted.runs()
    stolen = "EvaluateNewModel/1234567890123456"
    shutil.copytree(promoted.home / ".metaflow" / run, promoted.home / ".metaflow" / stolen)
    for file in (promoted.home / ".metaflow" / stolen).rglob("_self.json"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(run.split("/")[1], stolen.split("/")[1]), encoding="utf-8")
    before = promoted.history()
    completed = promoted.run("judge", stolen)
    assert completed.returncode == 2
    assert completed.stderr.splitlines() == [
        f"lockgate: the evidence is of run '{run}'; expected of run '{stolen}' @ {stolen}" + RESUMED
    ]
    assert promoted.history() == before


def test_the_log_beside_the_runs_does_not_disturb_the_client(promoted_project: Any) -> None:
    completed = promoted_project.python(
        "-c", "from metaflow import Metaflow, namespace\nnamespace(None)\nprint([flow.id for flow in Metaflow().flows])"
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.strip() == "['EvaluateNewModel']"
