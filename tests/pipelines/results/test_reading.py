"""`lockgate.read_results`: the evidence that `lockgate import` writes, in Python; the verb's tests try the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lockgate
from lockgate.gates.errors import SettingsError

TABLE = "id,new,old,label\na,0.9,0.4,1\nb,0.2,0.3,0\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "scores.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "scores.csv"


def test_two_columns_of_one_table(table: Path) -> None:
    evidence = lockgate.read_results("csv", str(table), table, score=["new", "old"])
    assert (evidence.task, evidence.label.tolist()) == ("binary", [1.0, 0.0])
    assert (evidence.challenger.tolist(), evidence.champion.tolist()) == ([0.9, 0.2], [0.4, 0.3])
    alone = lockgate.read_results("csv", table, score="new", task="regression", label="old")
    assert (alone.task, alone.champion, alone.label.tolist()) == ("regression", None, [0.4, 0.3])


@pytest.mark.parametrize(
    ("file_format", "arguments", "line"),
    [
        ("xlsx", {}, "unknown format 'xlsx'; expected csv or parquet or jsonl or inspect or promptfoo"),
        ("csv", {"task": "ranking"}, "unknown task 'ranking'; expected score or binary or regression"),
        ("csv", {"labels": "old"}, "there is no argument 'labels'; expected id, epoch, label or weight"),
        ("inspect", {"label": "old"}, "--label does not fit inspect"),
        ("csv", {"score": ["a", "b", "c"]}, "--score is given 3 times"),
    ],
)
def test_an_argument_that_does_not_fit(table: Path, file_format: str, arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        lockgate.read_results(file_format, table, **arguments)
    assert str(caught.value).startswith(line)
