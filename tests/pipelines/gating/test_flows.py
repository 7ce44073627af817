"""Flows of other shapes, as Metaflow runs them: what is judged, and what is refused in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipelines.gating.conftest import write_project
from tests.project_line import split_project_line

HEAD = """
import os
from metaflow import FlowSpec, Parameter, current, project, step
import lockgate
from lockgate.metaflow import gated
from own_flow import give
"""
TAIL = """
    @step
    def end(self):
        if "FAIL_END" in os.environ:
            raise RuntimeError("not yet")

if __name__ == "__main__":
    Own()
"""
FLOWS = {
    "plain": """
@project(name="theirs")
class Own(FlowSpec):
    case = Parameter("case", default="good")
    strength = Parameter("strength", default=0.3)

    @gated(project="churn")
    @step
    def start(self):
        if self.case == "taken":
            self.model = "a name that was theirs"
        if self.case != "silent":
            give(self.strength, **({"champion": None} if self.case == "unscored" else {}))
        if self.case == "flaky" and current.retry_count == 0:
            raise RuntimeError("the first try fails")
        self.next(self.end)
""",
    "branches": """
class Own(FlowSpec):
    merge = Parameter("merge", default=1)

    @step
    def start(self):
        self.next(self.left, self.right)

    @gated(project="churn")
    @step
    def left(self):
        give(0.3)
        self.next(self.join)

    @step
    def right(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        if self.merge:
            self.merge_artifacts(inputs)
        self.next(self.end)
""",
    "foreach": """
class Own(FlowSpec):
    @step
    def start(self):
        self.parts = [1]
        self.next(self.part, foreach="parts")

    @gated(project="churn")
    @step
    def part(self):
        give(0.3)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)
""",
    "twice": """
class Own(FlowSpec):
    @gated(project="churn")
    @gated(project="churn")
    @step
    def start(self):
        give(0.3)
        self.next(self.end)
""",
    "two_steps": """
class Own(FlowSpec):
    @gated(project="churn")
    @step
    def start(self):
        give(0.3)
        self.next(self.again)

    @gated(project="churn")
    @step
    def again(self):
        give(0.4)
        self.next(self.end)
""",
    "bare": """
class Own(FlowSpec):
    @step
    def start(self):
        give(0.3)
        self.next(self.end)
""",
}


@dataclass(frozen=True)
class OwnRepository:
    """A repository with these flows, and the commands that are called in it."""

    home: Path
    python: Path = Path(sys.executable)  # of the environment that has Metaflow and lockgate

    def call(self, *command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        words = {"PATH": os.environ["PATH"], "HOME": str(self.home), "METAFLOW_USER": "ada", "LC_ALL": "C.UTF-8", **env}
        return subprocess.run(
            command, cwd=cwd or self.home, env=words, capture_output=True, encoding="utf-8", check=False
        )

    def start_flow(self, name: str, *words: str, cwd: Path | None = None, **env: str) -> tuple[str, str]:
        """Run a flow. Returns the run, and the line of lockgate that ended it; empty if it did not end so."""
        file = self.home / "run.txt"
        words = (*words, "--run-id-file", str(file))
        command = "resume" if "--origin-run-id" in words else "run"
        options = [word for word in words if word.startswith("--with=")]
        rest = [word for word in words if word not in options]
        script = str(self.home / f"{name}.py")
        done = self.call(str(self.python), script, "--no-pylint", *options, command, *rest, cwd=cwd, **env)
        lines = {line.partition("lockgate: ")[2] for line in (done.stdout + done.stderr).splitlines()} - {""}
        assert len(lines) <= 1, lines
        assert (done.returncode == 0) == (not lines and "FAIL_END" not in env), done.stdout + done.stderr
        return f"Own/{file.read_text(encoding='utf-8')}", "".join(lines)

    def lockgate(self, *words: str, cwd: Path | None = None) -> tuple[int, str]:
        """The exit code of the command, and what it says: the error, or the answer."""
        done = self.call(str(self.python.with_name("lockgate")), *words, cwd=cwd)
        return done.returncode, split_project_line(done.stderr)[1] or done.stdout

    def judge(self, run: str) -> tuple[int, str]:
        return self.lockgate("judge", run)


@pytest.fixture
def repository(tmp_path: Path) -> OwnRepository:
    return write_repository(tmp_path)


def write_repository(tmp_path: Path) -> OwnRepository:
    """Nothing was promoted yet. The log is in Metaflow's local datastore."""
    for name, code in FLOWS.items():
        (tmp_path / f"{name}.py").write_text(HEAD + code + TAIL, encoding="utf-8")
    shutil.copy(Path(__file__).with_name("own_flow.py"), tmp_path)
    write_project(tmp_path, log_root="datastore")
    return OwnRepository(tmp_path)


def swap_run(repository: OwnRepository, run: str, number: str) -> str:
    """A copy of a run under another number, as whoever may write to the datastore can make it."""
    folder, flow = repository.home / ".metaflow", run.partition("/")[0]
    old = run.partition("/")[2]
    shutil.copytree(folder / run, folder / flow / number)
    for file in (folder / flow / number).rglob("_self.json"):
        file.write_text(file.read_text(encoding="utf-8").replace(old, number), encoding="utf-8")
    return f"{flow}/{number}"


def find_artifact(repository: OwnRepository, run: str, name: str) -> Path:
    """The file with the bytes of an artifact."""
    (index,) = (repository.home / ".metaflow" / run / "end").glob("[0-9]*/0.data.json")
    key = json.loads(index.read_text(encoding="utf-8"))["objects"][name]
    return repository.home / ".metaflow" / run.partition("/")[0] / "data" / key[:2] / key


def drop_artifact(repository: OwnRepository, run: str, name: str) -> None:
    (index,) = (repository.home / ".metaflow" / run / "end").glob("[0-9]*/0.data.json")
    pointers = json.loads(index.read_text(encoding="utf-8"))
    del pointers["objects"][name]
    index.write_text(json.dumps(pointers), encoding="utf-8")


def test_a_champion_a_stale_run_and_forged_ones(repository: OwnRepository) -> None:
    early, _ = repository.start_flow("plain", "--strength", "0.2")
    first, line = repository.start_flow("plain", "--with=retry:times=1,minutes_between_retries=0", "--case", "flaky")
    assert line == ""  # the second try counts
    code, said = repository.judge(first)
    assert code == 0, said
    assert f"{first} is tagged deployment_candidate, champion" in said  # though Metaflow's project is `theirs`

    code, said = repository.judge(early)  # scored when nobody reigned
    assert (code, "reigns" in said or "champion" in said) == (2, True), said

    better, _ = repository.start_flow("plain", "--strength", "0.6")
    forged = swap_run(repository, better, "1234567890123456")
    assert repository.judge(forged)[1].startswith(f"lockgate: the evidence is of run '{better}'; expected of run")
    half = swap_run(repository, better, "1234567890123457")
    drop_artifact(repository, half, "evidence")
    assert repository.judge(half)[1] == (
        "lockgate: the run has no such artifact; expected a run of EvaluateNewModel, or of a flow with a @gated step"
        f" @ {half} artifact evidence (they are read from the step `end`: a join needs"
        " `self.merge_artifacts(inputs)`)\n"
    )
    write_project(repository.home, log_root="datastore", project="orders")
    assert repository.judge(better)[1].startswith(
        "lockgate: the run belongs to project 'churn'; expected project 'orders'"
    )

    write_project(repository.home, log_root="datastore")
    assert repository.judge(better)[0] == 0
    served = repository.call(
        str(repository.python),
        "-c",
        "import sys, lockgate; c = lockgate.admit('churn'); d = lockgate.admit('churn', trusted_head=c.head); "
        "print(c.run, c.model, d.head.seq, *{'hydra', 'pandas', 'sklearn', 'skops', 'xgboost'} & set(sys.modules))",
    )
    assert served.stdout == f"{better} b'0.6' 2\n", served.stderr

    assert repository.lockgate("revoke", better, "--reason", "wrong labels", "--withdraw")[1] == (
        "lockgate: there are no predictions to withdraw; expected a conf/ with a store @ lockgate.yaml\n"
    )
    check_the_log_with_every_verb(repository, first, better)
    check_a_model_that_was_exchanged(repository, early, better)
    assert f"champion: {first}" in repository.lockgate("revoke", better, "--reason", "wrong labels")[1]

    run, line = repository.start_flow("plain", "--case", "unscored")
    assert line.startswith(f"{first} reigns, and its model has not scored the rows; expected champion=")
    assert repository.judge(run)[1].startswith("lockgate: the run has not finished")


def check_the_log_with_every_verb(repository: OwnRepository, first: str, better: str) -> None:
    """Verbs of a log that was not written by this repository's kind of flow; `better` reigns when they have run."""
    code, said = repository.lockgate("verify", "--deep")
    assert (code, "checked 2 entries, 2 promoted runs" in said) == (0, True), said
    code, said = repository.lockgate("plan", cwd=repository.home / ".metaflow")
    assert (code, f"the pilot is {better}, the last one judged" in said) == (0, True), said
    assert "it asks `lockgate.admit`" in repository.lockgate("rollback", "--reason", "slow")[1]
    assert f"champion: {better}" in repository.lockgate("rollback", "--to", better, "--reason", "fast again")[1]
    code, said = repository.lockgate("holdouts", "register", better, "--note", "June")
    assert (code, "has been registered since entry" in said) == (2, True), said
    code, said = repository.lockgate("bundle", "--out", "champion.tar")
    assert (code, f"champion.tar: {better}, promoted by entry 2" in said) == (0, True), said


def check_a_model_that_was_exchanged(repository: OwnRepository, other: str, champion: str) -> None:
    """Whoever may write to the datastore gives the champion another run's bytes: nobody gets them."""
    stored, others = (find_artifact(repository, run, "model") for run in (champion, other))
    judged = stored.read_bytes()
    stored.chmod(0o600)
    stored.write_bytes(others.read_bytes())
    asked = repository.call(
        sys.executable,
        "-c",
        "import lockgate\n"
        "for ask in (lockgate.champion, lockgate.admit):\n"
        "    try: print(ask('churn'))\n"
        "    except lockgate.LockgateError as err: print(type(err).__name__, err)",
    )
    by_champion, by_admit = asked.stdout.splitlines()
    assert by_champion.startswith("EvidenceError the champion's model is not what was judged: SHA-256 "), asked
    assert by_champion.endswith(
        f" @ {champion} (somebody changed the artifact; `lockgate revoke` takes the model out of service)"
    )
    assert by_admit.startswith("AdmissionError "), by_admit
    assert repository.lockgate("verify")[0] == 2
    stored.write_bytes(judged)


def test_a_flow_that_is_started_in_another_folder_makes_no_second_log(repository: OwnRepository) -> None:
    elsewhere = repository.home / "notebooks"
    elsewhere.mkdir()
    run, line = repository.start_flow("plain", cwd=elsewhere)
    assert line.startswith("Metaflow keeps the runs of this process outside of the project's datastore; expected ")
    assert f"(start it in {repository.home}, or anywhere in the project with METAFLOW_DATASTORE_SYSROOT_LOCAL" in line
    code, said = repository.lockgate("judge", run, cwd=elsewhere)
    assert (code, said) == (
        2,
        (
            f"lockgate: there is no such run; expected a run in {repository.home}/.metaflow @ {run} (it is in"
            f" {elsewhere}/.metaflow, as its flow was started there; start it in {repository.home})\n"
        ),
    )
    assert not (repository.home / ".metaflow").exists()
    assert not (elsewhere / ".metaflow" / "lockgate").exists()

    shutil.rmtree(elsewhere / ".metaflow")
    run, line = repository.start_flow("plain", cwd=elsewhere, METAFLOW_DATASTORE_SYSROOT_LOCAL=str(repository.home))
    assert line == ""
    assert repository.lockgate("judge", run, cwd=elsewhere)[0] == 0
    run, line = repository.start_flow("plain", "--strength", "0.1", cwd=elsewhere)  # now Metaflow finds the datastore
    assert line == ""
    code, said = repository.lockgate("judge", run, cwd=elsewhere)
    assert (code, "entry 2 of the promotion log" in said) == (1, True), said


def test_a_run_that_is_resumed(repository: OwnRepository) -> None:
    failed, _ = repository.start_flow("plain", FAIL_END="1")
    assert repository.judge(failed)[0] == 2
    number = failed.partition("/")[2]
    copied, _ = repository.start_flow("plain", "--origin-run-id", number)
    assert repository.judge(copied)[1].startswith(
        f"lockgate: the evidence is of run '{failed}'; expected of run '{copied}'"
    )
    rescored, _ = repository.start_flow("plain", "start", "--origin-run-id", number)
    assert repository.judge(rescored)[0] == 0


def test_evidence_of_a_branch_needs_a_join_that_merges(repository: OwnRepository) -> None:
    lost, _ = repository.start_flow("branches", "--merge", "0")
    assert "a join needs `self.merge_artifacts(inputs)`" in repository.judge(lost)[1]
    kept, _ = repository.start_flow("branches")
    assert repository.judge(kept)[0] == 0


def test_with_decorates_a_flow_from_outside(repository: OwnRepository) -> None:
    _, line = repository.start_flow("bare", "--with=lockgate.metaflow.gated")
    assert line.startswith('@gated has no project; expected @gated(project="NAME")')
    run, line = repository.start_flow("bare", "--with=lockgate.metaflow.gated:project=churn")
    assert line == ""
    assert repository.judge(run)[0] == 0


@pytest.mark.parametrize(
    ("flow", "words", "line"),
    [
        ("plain", ("--case", "silent"), "the gated step gave no evidence; expected `lockgate.evidence(…)` in it"),
        ("plain", ("--case", "taken"), "the flow has an artifact `model` already; expected the name to be free"),
        ("foreach", (), "one of several tasks of a foreach gives evidence, which the join after it would lose"),
        ("twice", (), "the step is decorated twice; expected one @gated"),
        ("two_steps", (), "the flow has an artifact `evidence` already; expected the name to be free"),
    ],
)
def test_a_step_that_cannot_be_judged_fails_in_one_line(
    repository: OwnRepository, flow: str, words: tuple[str, ...], line: str
) -> None:
    assert repository.start_flow(flow, *words)[1].startswith(line)
