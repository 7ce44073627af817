"""`lockgate verify`: what it says of a project that nobody touched, and of one that somebody did."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lockgate.pipelines.stores import Draft, Tally
from lockgate.pipelines.stores.sqlite import SqliteStore

UNSIGNED = "entries are unsigned: anybody who can write to the bucket can rewrite them"


def verified(project: Any, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and what was found as JSON."""
    completed = project.run("verify", "--json", *words)
    assert completed.stderr == ""
    return completed.returncode, json.loads(completed.stdout)


def index(project: Any, run: str) -> Path:
    """Where Metaflow keeps which artifacts the last task has."""
    (file,) = (project.home / ".metaflow" / run / "end").glob("[0-9]*/0.data.json")
    return Path(file)


def blob(project: Any, key: str) -> Path:
    return Path(project.home / ".metaflow" / "EvaluateNewModel" / "data" / key[:2] / key)


def erase(project: Any, run: str, name: str) -> None:
    """Delete an artifact's bytes, as one who must forget does."""
    blob(project, json.loads(index(project, run).read_bytes())["objects"][name]).unlink()


def swap(project: Any, run: str, **artifacts: bytes | str) -> None:
    """Point artifacts of a finished run at other values."""
    document = json.loads(index(project, run).read_bytes())
    for name, value in artifacts.items():
        stored = gzip.compress(pickle.dumps(value, protocol=4))
        key = hashlib.sha1(stored, usedforsecurity=False).hexdigest()
        blob(project, key).parent.mkdir(exist_ok=True)
        blob(project, key).write_bytes(stored)
        blob(project, key).with_name(f"{key}_meta").write_text(json.dumps({"cas_raw": False, "cas_version": 1}))
        document["objects"][name] = key
    index(project, run).write_text(json.dumps(document), encoding="utf-8")


def tag(project: Any, run: str, *, user: list[str], system: tuple[str, ...] = ()) -> None:
    """Write the tags of a run where Metaflow keeps them."""
    file = project.home / ".metaflow" / run / "_meta" / "_self.json"
    document = json.loads(file.read_bytes())
    file.write_text(json.dumps(document | {"tags": user, "system_tags": [*document["system_tags"], *system]}))


def twin(project: Any, run: str, number: int) -> str:
    """A copy of a run, under another number, that nobody judged."""
    other = f"EvaluateNewModel/{number}"
    shutil.copytree(project.home / ".metaflow" / run, project.home / ".metaflow" / other)
    for file in (project.home / ".metaflow" / other).rglob("_self.json"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(run.split("/")[1], str(number)), encoding="utf-8")
    return other


def publish(project: Any, *, seq: int, digest: str) -> None:
    """A version of predictions that says that it was made under entry `seq`."""
    draft = Draft(
        source=f"Predict/{seq}",
        project="orders",
        window="w",
        champion_run="r",
        model_sha256="m",
        log_seq=seq,
        log_sha256=digest,
        time=datetime.now(UTC),
        shards=1,
    )
    batch = pa.record_batch({"key": ["1"], "score": [0.5]})
    store = SqliteStore(project.home / "predictions.db")
    store.stage(draft, 0, pa.RecordBatchReader.from_batches(batch.schema, [batch]), Tally.of(np.array([0.5])))
    store.commit(draft)


def test_what_nobody_touched_is_clean_and_says_what_it_did_not_check(promoted_project: Any) -> None:
    completed = promoted_project.run("verify", "--deep")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.splitlines() == [
        f"not checked: {UNSIGNED}",
        "not checked: nothing outside the log names an entry after 1, so a deleted later entry would go unnoticed",
        "checked 1 entry, 1 promoted run, the tags of 1 run, no versions of predictions: no deviations",
    ]


def test_erased_evidence_is_said_and_is_no_deviation(promoted: Any) -> None:
    (run,) = promoted.runs()
    erase(promoted, run, "evidence")
    code, report = verified(promoted)
    assert (code, report["deviations"]) == (0, [])
    assert f"the evidence of {run} was erased, so it was not compared with entry 1" in report["notes"]
    erase(promoted, run, "model")
    code, report = verified(promoted)
    assert (code, [deviation["about"] for deviation in report["deviations"]]) == (2, ["run"])
    assert "its model is gone, and it reigns" in report["deviations"][0]["said"]
    shutil.rmtree(promoted.home / ".metaflow" / run)
    code, report = verified(promoted)
    assert (code, report["deviations"][0]["said"]) == (2, "there is no such run, and entry 1 promoted it")


def test_everything_that_was_changed_is_named_and_tags_are_put_right(promoted: Any) -> None:
    (run,) = promoted.runs()
    (entry,) = promoted.history()
    forged, foreign, stuck = (twin(promoted, run, number) for number in (71, 72, 73))
    swap(promoted, run, model=b"another model")
    swap(promoted, foreign, facts=json.dumps({"project": "another"}))
    tag(promoted, run, user=["deployment_candidate", "held", "mine"])
    tag(promoted, forged, user=["champion", "production:token"])
    tag(promoted, foreign, user=["champion"])
    tag(promoted, stuck, user=[], system=("champion",))
    publish(promoted, seq=4, digest="0" * 64)
    code, report = verified(promoted)
    actual = {(deviation["about"], deviation["where"]): deviation["said"] for deviation in report["deviations"]}
    assert (code, report["clean"], actual.keys()) == (
        2,
        False,
        {("run", run), ("tags", run), ("tags", forged), ("tags", stuck), ("predictions", "version 1")},
    )
    assert f"{foreign} says that it is of project 'another': its tags follow another log" in report["notes"]
    model = entry["event"]["decision"]["binding"]["model"]
    assert f"expected {model}" in actual["run", run]
    assert "lacks champion" in actual["tags", run]
    assert "has held" in actual["tags", run]
    assert "has champion, production:token, which it should not have according to the log" in actual["tags", forged]
    assert "has champion as a system tag" in actual["tags", stuck]
    assert "the log ends at 1: was its tail deleted?" in actual["predictions", "version 1"]

    code, report = verified(promoted, "--fix-tags")
    remaining = {(deviation["about"], deviation["where"]) for deviation in report["deviations"]}
    assert (code, remaining) == (2, {("run", run), ("tags", stuck), ("predictions", "version 1")})
    assert report["fixed"] == [f"{run} +champion -held", f"{forged} -champion -production:token"]
    assert promoted.tags(run) == ["champion", "deployment_candidate", "mine"]
    assert (promoted.tags(forged), promoted.tags(foreign)) == ([], ["champion"])


@pytest.mark.parametrize("words", [(), ("--fix-tags",)])
def test_tags_do_not_follow_a_log_that_is_not_what_it_must_be(promoted: Any, words: tuple[str, ...]) -> None:
    (run,) = promoted.runs()
    tag(promoted, run, user=["revoked"])
    (file,) = (promoted.home / ".metaflow" / "lockgate" / "orders" / "log").glob("*.json")
    file.write_bytes(file.read_bytes() + b" ")
    completed = promoted.run("verify", *words)
    assert completed.returncode == 2
    assert [line.split()[:2] for line in completed.stdout.splitlines()[:2]] == [
        ["about", "where"],
        ["log", "log/00000001.json"],
    ]
    assert "not in canonical form" in completed.stdout
    assert "tags were not compared, because the log itself deviates" in completed.stdout
    assert promoted.tags(run) == ["revoked"]


def test_a_run_that_holds_all_the_tags_it_may_is_one_clear_line(promoted: Any) -> None:
    (run,) = promoted.runs()
    tag(promoted, run, user=["deployment_candidate", *(f"t{number}" for number in range(49))])
    code, report = verified(promoted, "--fix-tags")
    (deviation,) = report["deviations"]
    assert (code, deviation["about"]) == (2, "tags")
    assert "could not be put right: Metaflow refuses: Cannot increase size of tag set beyond 50" in deviation["said"]
    judged = promoted.run("judge", run)
    assert judged.returncode == 0
    assert "Cannot increase size of tag set beyond 50" in " ".join(judged.stdout.split())


def test_an_empty_log_is_clean(project: Any) -> None:
    code, report = verified(project)
    assert (code, report["entries"], report["notes"]) == (0, 0, [UNSIGNED])
