"""Metaflow's side, with real runs: what is read and how, what is refused, and where the log lives.

Metaflow reads its configuration when it is imported, so everything here happens in processes of its own.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest

CLAIM = """
import sys
from lockgate.gates import runs
from lockgate.gates.errors import LockgateError
try:
    claim = runs.load_claim(sys.argv[1])
except LockgateError as err:
    sys.exit(f"{type(err).__name__}: {err}")
print(claim.run, claim.evidence.n, claim.evidence.facts["challenger"]["run"], *sorted(claim.tags))
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


class Canary:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return exec, (f"import pathlib; pathlib.Path({str(self._path)!r}).touch()",)


def claimed(project: Any, run: str, **env: str) -> tuple[int, str]:
    """Exit code, and what was said on stdout or, in one line, on stderr."""
    completed = project.python("-c", CLAIM, run, **env)
    assert completed.returncode == 0 or len(completed.stderr.splitlines()) == 1, completed.stderr
    return completed.returncode, (completed.stdout or completed.stderr).strip()


def task_file(project: Any, run: str, name: str) -> Path:
    (result,) = (project.home / ".metaflow" / run / "end").glob(f"[0-9]*/{name}")
    return result


def put(project: Any, run: str, name: str, stored: bytes) -> None:
    """Point an artifact of a finished run at other bytes, as somebody who may write to the datastore can."""
    key = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
    data = project.home / ".metaflow" / "EvaluateNewModel" / "data" / key[:2]
    data.mkdir(exist_ok=True)
    (data / key).write_bytes(stored)
    (data / f"{key}_meta").write_text(json.dumps({"cas_raw": False, "cas_version": 1}), encoding="utf-8")
    index = task_file(project, run, "0.data.json")
    document = json.loads(index.read_text(encoding="utf-8"))
    document["objects"][name] = key
    index.write_text(json.dumps(document), encoding="utf-8")


def test_a_run_is_read_back_with_its_tags(promoted_project: Any) -> None:
    (run,) = promoted_project.runs()
    code, message = claimed(promoted_project, run)
    assert (code, message.split()) == (0, [run, "666", run, "champion", "deployment_candidate"])


@pytest.mark.parametrize(
    "name", ["evidence", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("facts", "_success"))]
)
@pytest.mark.parametrize("how", ["canary", "proto0", "after", "bomb", "garbage", "no gzip", "number"])
def test_a_tampered_artifact_is_refused_and_never_loaded(promoted: Any, tmp_path: Path, name: str, how: str) -> None:
    canary = tmp_path / "canary"
    evil = Canary(canary)
    stored = {
        "canary": lambda: gzip.compress(pickle.dumps(evil, protocol=4)),
        "proto0": lambda: gzip.compress(pickle.dumps(evil, protocol=0)),
        "after": lambda: gzip.compress(pickle.dumps("{}", protocol=4) + pickle.dumps(evil, protocol=4)),
        "bomb": lambda: gzip.compress(bytes(64 * 1024**2)),
        "garbage": lambda: gzip.compress(b"\x80\x04garbage"),
        "no gzip": lambda: b"\x80\x04\x88.",
        "number": lambda: gzip.compress(pickle.dumps(7, protocol=4)),
    }[how]()
    (run,) = promoted.runs()
    put(promoted, run, name, stored)
    code, message = claimed(promoted, run)
    assert code != 0
    assert message.startswith(("EvidenceError", "RunError")), message
    assert run in message
    assert not canary.exists()


def test_a_bomb_is_stopped_at_the_cap(promoted: Any) -> None:
    """64 MB of zeros in 64 kB: refused by what `facts` may hold, long before they are all there."""
    (run,) = promoted.runs()
    put(promoted, run, "facts", gzip.compress(bytes(64 * 1024**2)))
    code, message = claimed(promoted, run)
    assert code != 0
    assert "too large once unpacked; expected at most 16,777" in message


def test_an_evil_run_is_refused_by_the_command_too(project: Any, tmp_path: Path) -> None:
    """Runs of a stranger's flow of the same name: one whose artifacts are code, one that failed, one of nothing."""
    canary = tmp_path / "canary"
    (tmp_path / "flow.py").write_text(FLOW.format(canary=str(canary)), encoding="utf-8")
    actual = {}
    for kind in ("evil", "failed", "plain"):
        completed = project.python("flow.py", "--no-pylint", "run", "--kind", kind, METAFLOW_USER="mallory")
        assert (completed.returncode == 0) == (kind != "failed"), completed.stderr
        judged = project.run("judge", project.runs()[-1])
        assert judged.returncode == 2
        assert judged.stdout == ""
        (actual[kind],) = judged.stderr.splitlines()
    assert "does more than hold data" in actual["evil"]
    assert "finished run" in actual["failed"]
    assert "Arrow" in actual["plain"]
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
def test_a_run_that_is_not_there(promoted_project: Any, run: str, message: str) -> None:
    code, line = claimed(promoted_project, run)
    assert code != 0
    assert line.startswith(("RunError", "NoSuchRunError"))
    assert message in line


def test_an_unfinished_run_is_refused(promoted: Any) -> None:
    (run,) = promoted.runs()
    shutil.rmtree(promoted.home / ".metaflow" / run / "end")
    code, message = claimed(promoted, run)
    assert code != 0
    assert "not finished" in message or "no such run" in message


def test_artifacts_that_are_missing_or_gone_are_said(promoted: Any) -> None:
    (run,) = promoted.runs()
    index = task_file(promoted, run, "0.data.json")
    document = json.loads(index.read_text(encoding="utf-8"))
    key = document["objects"]["evidence"]
    (promoted.home / ".metaflow" / "EvaluateNewModel" / "data" / key[:2] / key).unlink()
    assert "gone from the datastore" in claimed(promoted, run)[1]
    del document["objects"]["evidence"]
    index.write_text(json.dumps(document), encoding="utf-8")
    assert "no such artifact" in claimed(promoted, run)[1]


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
        f"lockgate: the evidence is of run '{run}'; expected of run '{stolen}' @ {stolen}"
    ]
    assert promoted.history() == before


@pytest.mark.parametrize("verb", ["judge", pytest.param("evaluate", marks=pytest.mark.nightly)])
def test_the_next_command_repairs_tags_that_a_killed_one_left_out(promoted: Any, verb: str) -> None:
    (run,) = promoted.runs()
    meta = promoted.home / ".metaflow" / run / "_meta" / "_self.json"
    document = json.loads(meta.read_text(encoding="utf-8"))
    meta.write_text(json.dumps(document | {"tags": ["mine", "revoked"]}), encoding="utf-8")
    before = promoted.history()
    completed = promoted.run(verb, run) if verb == "judge" else promoted.run(verb)
    assert completed.returncode == 0, completed.stderr
    assert "put right: +champion +deployment_candidate -revoked" in " ".join(completed.stdout.split())
    assert promoted.tags(run) == ["champion", "deployment_candidate", "mine"]
    assert promoted.history() == before


@pytest.mark.nightly
def test_a_tag_is_no_promotion(promoted: Any, tmp_path: Path) -> None:
    """Tags of every kind on a run that was never promoted do not make Predict use it."""
    forged = ("--tag", "deployment_candidate", "--tag", "champion", "--tag", "production:token")
    completed = promoted.run("evaluate", "model=baseline", *forged, METAFLOW_USER="mallory", METAFLOW_RUN_TAGS="[]")
    assert completed.returncode == 1, completed.stderr
    first, pretender = promoted.runs()
    assert "deployment_candidate" in promoted.tags(pretender)
    completed = promoted.run("predict", f"--upstream-run-id={pretender}")
    assert completed.returncode == 2
    assert "was never promoted" in completed.stderr.splitlines()[-1]
    assert json.loads(promoted.run("champion", "--json").stdout)["run"] == first
    completed = promoted.run("verify", "--fix-tags")
    assert completed.returncode == 0, completed.stdout
    assert f"put right: {pretender} -deployment_candidate -production:token" in completed.stdout
    assert promoted.tags(pretender) == ["held"]


def test_the_log_beside_the_runs_does_not_disturb_the_client(promoted_project: Any) -> None:
    completed = promoted_project.python(
        "-c", "from metaflow import Metaflow, namespace\nnamespace(None)\nprint([flow.id for flow in Metaflow().flows])"
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.strip() == "['EvaluateNewModel']"


@pytest.mark.parametrize(
    ("installed", "message"),
    [
        (("metaflow", "ob-metaflow"), "RunError: both metaflow and ob-metaflow"),
        (("ob-metaflow",), ""),
        (("metaflow",), ""),
        ((), "RunError: Metaflow is not installed"),
    ],
)
def test_one_metaflow_and_one_only(project: Any, tmp_path: Path, installed: tuple[str, ...], message: str) -> None:
    """In an interpreter that finds these distributions and no other metaflow's."""
    for name in installed:
        info = tmp_path / "fake" / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    site = tmp_path / "site"
    site.mkdir()
    for path in Path(pytest.__file__).parents[1].iterdir():
        if not path.name.startswith(("metaflow-", "ob_metaflow-")):
            (site / path.name).symlink_to(path)
    code = """
        import sys
        from lockgate.gates import runs
        from lockgate.gates.errors import LockgateError
        try:
            runs.check_installation()
        except LockgateError as err:
            sys.exit(f"{type(err).__name__}: {err}")
    """
    root = Path(__file__).parents[3]
    completed = project.python(
        "-S", "-c", textwrap.dedent(code), PYTHONPATH=os.pathsep.join(map(str, (tmp_path / "fake", site, root)))
    )
    assert (completed.returncode == 0) == (message == ""), completed.stderr
    assert completed.stderr.startswith(message)
    assert len(completed.stderr.splitlines()) == (message != "")
