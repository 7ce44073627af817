"""Forged evidence: between a run and its judgement, after it, and from somebody who is only asked for advice."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence


@pytest.fixture
def before_judgement(scene: Any) -> Any:
    """The signed project as it was when its second run was not yet judged: version 1 is current."""
    (scene.folder / "log" / "00000002.json").unlink()
    (scene.project.home / "predictions.db").unlink()
    scene.untag(scene.champion)
    scene.serves(scene.former)
    return scene


def pickle_evidence(evidence: Evidence) -> bytes:
    """As Metaflow stores it."""
    return gzip.compress(pickle.dumps(evidence.to_bytes(), 4))


def evidence_of(scene: Any, run: str) -> Evidence:
    return Evidence.from_bytes(scene.artifact(run, "evidence"), where=run)


def not_judged(scene: Any) -> str:
    """The one line with which the judge refuses the second run; the first one goes on serving."""
    judged = scene.judge(scene.champion)
    assert (judged.code, judged.out) == (2, ""), judged
    assert not (scene.folder / "log" / "00000002.json").exists()
    assert "champion" not in scene.project.tags(scene.champion)
    scene.serves(scene.former)
    (problem,) = judged.err.splitlines()
    return problem


def test_without_a_forgery_it_is_promoted(before_judgement: Any) -> None:
    """Or the refusals below would mean nothing."""
    assert before_judgement.judge(before_judgement.champion).code == 0
    before_judgement.serves(before_judgement.champion)


# --- between the run and the judge: the judge reads the store itself ----------------------------------------------


def test_a_model_that_was_swapped_before_it_was_judged(before_judgement: Any) -> None:
    """The good scores of one model, the bytes of another."""
    other = before_judgement.artifact(before_judgement.former, "model")
    before_judgement.put_artifact(before_judgement.champion, "model", gzip.compress(pickle.dumps(other, 4)))
    assert "the run's model is not the one that was scored" in not_judged(before_judgement)


def test_the_evidence_of_another_run(before_judgement: Any) -> None:
    """A run that takes the evidence of one that was better."""
    evidence = before_judgement.artifact(before_judgement.former, "evidence")
    before_judgement.put_artifact(before_judgement.champion, "evidence", gzip.compress(pickle.dumps(evidence, 4)))
    assert f"the evidence is of run '{before_judgement.former}'" in not_judged(before_judgement)


def test_a_model_that_predict_cannot_load(before_judgement: Any) -> None:
    """It would be promoted, and nothing could serve it."""
    evidence = evidence_of(before_judgement, before_judgement.champion)
    foreign = {**evidence.facts, "challenger": {**evidence.facts["challenger"], "format": "onnx"}}
    changed = pickle_evidence(replace(evidence, facts=foreign))
    before_judgement.put_artifact(before_judgement.champion, "evidence", changed)
    problem = not_judged(before_judgement)
    assert "Predict could not load this model: 'onnx' is not a model format" in problem
    assert "set `servable: elsewhere` in conf/platform" in problem


# --- after it was judged ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "part"),
    [("label", "its holdout (digest of rows and labels)"), ("challenger", "its score column (digest)")],
)
def test_evidence_that_was_changed_after_it_was_judged(scene: Any, column: str, part: str) -> None:
    """`verify` says so; judged again it promotes nothing, and what serves is bound to the model's bytes anyway."""
    evidence = evidence_of(scene, scene.champion)
    changed = {"label": 1 - evidence.label, "challenger": np.clip(evidence.label, 0.01, 0.99)}[column]
    scene.put_artifact(scene.champion, "evidence", pickle_evidence(replace(evidence, **{column: changed})))
    assert f"{part} is not what entry 2 binds" in scene.deviations()[scene.champion]
    judged = scene.judge(scene.champion)
    assert judged.code == 2
    assert "STALE: the challenger was scored beside" in judged.err
    assert scene.log().head().seq == 2
    scene.serves(scene.champion)


@pytest.mark.parametrize("how", ["cut", "turned", "gone"])
def test_evidence_that_cannot_be_read(scene: Any, how: str) -> None:
    good = scene.artifact(scene.champion, "evidence")
    bad = {"cut": good[:-99], "turned": good[:-6] + b"!" + good[-5:], "gone": b""}[how]
    scene.put_artifact(scene.champion, "evidence", gzip.compress(pickle.dumps(bad, 4)))
    judged = scene.judge(scene.champion)
    assert judged.code == 2
    assert "not an evidence file; expected an intact Arrow IPC file" in judged.err
    assert "cannot be read, and entry 2 promoted it" in scene.deviations()[scene.champion]


# --- from somebody who asks for advice -----------------------------------------------------------------------------


def _perfect(evidence: Evidence) -> Evidence:
    return replace(evidence, challenger=np.clip(evidence.label, 0.01, 0.99))


def _turn_champion(evidence: Evidence) -> Evidence:
    assert evidence.champion is not None
    return replace(evidence, champion=1 - evidence.champion)


def _fast(evidence: Evidence) -> Evidence:
    return replace(evidence, facts={**evidence.facts, "predict_cpu_ms_per_1000_p99": 1e-6, "fit_seconds": 0.0})


@pytest.mark.parametrize("forge", [_perfect, _turn_champion, _fast], ids=["challenger", "champion", "latency"])
def test_advice_on_forged_evidence_is_said_to_be_no_more(
    scene: Any, signed_conf: Path, tmp_path: Path, forge: Callable[[Evidence], Evidence]
) -> None:
    """Labels as scores, a champion whose scores are turned round, a latency of nothing: PROMOTE, and nothing follows,
    though the judge's key is at hand."""
    forge(evidence_of(scene, scene.champion)).write(tmp_path / "forged.arrow")
    before = (scene.log().head(), scene.list_published(), [scene.project.tags(run) for run in scene.project.runs()])
    words = ("--evidence", str(tmp_path / "forged.arrow"), "--policy", str(signed_conf / "gate" / "default.yaml"))
    judged = scene.judge(*words, "--json")
    assert judged.code == 0, judged
    report = json.loads(judged.out)
    assert (report["decision"]["verdict"], report["entry"]) == ("PROMOTE", None)
    assert report["note"].startswith("nothing was logged or tagged: the evidence comes from a file")
    assert before == (
        scene.log().head(),
        scene.list_published(),
        [scene.project.tags(run) for run in scene.project.runs()],
    )
