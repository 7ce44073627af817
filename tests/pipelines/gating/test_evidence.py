"""What a gated step says is what a judge reads, and what contradicts itself is refused before anybody judges.

Tests of pipelines/gating/task.py
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.gates.errors import LockgateError
from lockgate.pipelines.gating.champions import ChampionModel
from lockgate.pipelines.gating.task import GatedTask, close_task, find_task, open_task

ROWS = {"label": [0.0, 1.0, 1.0], "challenger": [0.1, 0.8, 0.7], "row_id": ["c", "a", "b"]}
MODEL = {"model": b"\x80weights", "format": "weights-json"}
REIGNING = ChampionModel(
    run="ChurnFlow/6", model=b"old", format="weights-json", sha256=hashlib.sha256(b"old").hexdigest()
)


def make_task(**changes: Any) -> GatedTask:
    return GatedTask(
        **{
            "project": "churn",
            "run": "ChurnFlow/7",
            "step": "score",
            "folder": Path.cwd(),
            "in_foreach": False,
            **changes,
        }
    )


@pytest.fixture
def task(own_project: Path) -> Iterator[GatedTask]:
    """The step that runs; no model reigns."""
    task = make_task(folder=own_project)
    open_task(task)
    yield task
    close_task()


def refuse_evidence(line: str, **changes: Any) -> None:
    with pytest.raises(LockgateError) as caught:
        lockgate.evidence(**{**ROWS, **MODEL, **changes})
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_the_artifacts_are_those_that_a_judge_reads(task: GatedTask) -> None:
    lockgate.evidence(**ROWS, **MODEL, facts={"fit_seconds": 2.5, "as_of": "2024-05"})
    assert task.evaluated is not None
    read = lockgate.Evidence.from_bytes(task.evaluated.evidence)
    assert json.loads(task.evaluated.facts) == read.facts
    assert task.evaluated.model == MODEL["model"]
    assert read.row_id.to_pylist() == ["a", "b", "c"]
    assert read.facts["challenger"] == {
        "run": "ChurnFlow/7",
        "model": "ChurnFlow",
        "format": "weights-json",
        "sha256": hashlib.sha256(MODEL["model"]).hexdigest(),
    }
    assert read.facts["data"] == {"holdout_sha256": read.holdout, "train_sha256": None}
    assert (read.facts["champion"], read.facts["project"], read.facts["fit_seconds"]) == (None, "churn", 2.5)


def test_the_champion_that_was_asked_for_is_named(task: GatedTask) -> None:
    task.asked, task.champion = True, REIGNING
    lockgate.evidence(**ROWS, **MODEL, champion=[0.2, 0.6, 0.6])
    assert task.evaluated is not None
    assert json.loads(task.evaluated.facts)["champion"] == {"run": REIGNING.run, "sha256": REIGNING.sha256}


def test_a_champion_that_nobody_scored(task: GatedTask) -> None:
    task.asked, task.champion = True, REIGNING
    refuse_evidence("ChurnFlow/6 reigns, and its model has not scored the rows; expected champion=: the scores by")


def test_scores_of_a_champion_that_was_not_asked_for(task: GatedTask) -> None:
    refuse_evidence("there are scores of a champion that this step has not asked for", champion=[0.2, 0.6, 0.6])


def test_scores_of_a_champion_where_none_reigns(task: GatedTask) -> None:
    assert lockgate.champion("churn") is None
    refuse_evidence("no model reigns, but there are scores of a champion", champion=[0.2, 0.6, 0.6])


def test_whether_a_champion_reigns_is_asked_where_the_step_did_not(task: GatedTask) -> None:
    assert not task.asked
    lockgate.evidence(**ROWS, **MODEL)
    assert task.asked


def test_evidence_is_given_once(task: GatedTask) -> None:
    lockgate.evidence(**ROWS, **MODEL)
    refuse_evidence("the step has given evidence already")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model": bytearray(b"x")}, "the model is of type bytearray; expected its bytes"),
        ({"format": ""}, "the format is ''; expected a name of 1 to 64 printable characters"),
        ({"format": "a\nb"}, r"the format is 'a\nb'; expected a name"),
        ({"facts": {"project": "theirs"}}, "facts has 'project'; expected a fact that the step does not say itself"),
        ({"row_id": ["a", "b"]}, "row_id has 2 rows, label has 3"),
    ],
)
def test_what_is_no_evidence(task: GatedTask, changes: dict[str, Any], line: str) -> None:
    refuse_evidence(line, **changes)
    assert task.evaluated is None


def test_rows_that_another_tool_scored(task: GatedTask, own_project: Path) -> None:
    """As they are: with their slices, the tries of each sample, and the file that they come from."""
    for name, score in (("new", 1), ("old", 0)):
        lines = [{"id": i % 2, "epoch": i // 2, "topic": "x", "score": score} for i in range(4)]
        (own_project / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    files = (own_project / "new.jsonl", own_project / "old.jsonl")
    rows = lockgate.read_results("jsonl", *files, slices=["topic"])
    task.asked, task.champion = True, REIGNING
    lockgate.evidence(rows, **MODEL)
    assert task.evaluated is not None
    read = lockgate.Evidence.from_bytes(task.evaluated.evidence)
    assert (read.task, read.holdout, list(read.slices)) == ("score", rows.holdout, ["topic"])
    assert (read.challenger.tolist(), read.champion.tolist()) == ([1.0] * 4, [0.0] * 4)
    assert read.facts["results"]["challenger"]["sha256"] == hashlib.sha256(files[0].read_bytes()).hexdigest()
    assert read.facts["champion"]["run"] == REIGNING.run


def test_rows_and_their_champion_are_held_to_the_same_rules(task: GatedTask) -> None:
    rows = lockgate.Evidence.from_arrays(**ROWS)
    compared = lockgate.Evidence.from_arrays(**ROWS, champion=[0.2, 0.6, 0.6])
    nothing = {"label": None, "challenger": None, "row_id": None}
    refuse_evidence("there are scores of a champion that this step has not asked for", **nothing, rows=compared)
    refuse_evidence("there are rows, and challenger beside them; expected rows, or columns and facts", rows=rows)
    refuse_evidence("the rows are of type dict; expected Evidence", **nothing, rows={})
    claiming = lockgate.Evidence.from_arrays(**ROWS, facts={"champion": {"run": "ChurnFlow/6"}})
    refuse_evidence("facts has 'champion'; expected a fact that the step does not say itself", **nothing, rows=claiming)
    task.asked, task.champion = True, REIGNING
    refuse_evidence("ChurnFlow/6 reigns, and its model has not scored the rows", **nothing, rows=rows)
    assert task.evaluated is None


def test_outside_of_a_gated_step(own_project: Path) -> None:
    assert find_task() is None
    refuse_evidence("nothing would keep this evidence; expected a call in a gated step (put `@gated(project=…)` above")


def test_in_a_foreach(own_project: Path) -> None:
    open_task(make_task(in_foreach=True))
    refuse_evidence("one of several tasks of a foreach gives evidence, which the join after it would lose")
    close_task()


def test_a_step_that_is_decorated_twice(task: GatedTask) -> None:
    with pytest.raises(
        LockgateError, match="the step is decorated twice; expected one @gated @ ChurnFlow/7 step score"
    ):
        open_task(make_task())
