"""`lockgate import`: the commands of docs/evaluations.md, and what is refused. tests/test_docs.py plays that page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockgate import Evidence
from tests.pages import ROOT

PAGE = "docs/evaluations.md"
FIXTURES = ROOT / "tests/pipelines/results/fixtures"


def test_the_commands_of_the_page_for_each_tool_do_what_it_says(project: Any) -> None:
    """The names of the page stand for files that the tools wrote."""
    files = {
        "new.eval": "inspect-challenger.eval",
        "old.eval": "inspect-champion.eval",
        "both.json": "promptfoo.json",
    }
    (project.home / "scores.csv").write_text("id,new,old,cost,x\x1b[2J\na,1,0,7,\nb,true,0.5,8,\n", encoding="utf-8")
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    commands = [line.split("#")[0].split()[1:] for line in text.splitlines() if line.startswith("    lockgate import ")]
    printed = []
    for words in commands:
        completed = project.run(*(str(FIXTURES / files[word]) if word in files else word for word in words))
        assert completed.returncode == 0, completed.stderr
        printed.append(completed.stdout)
    inspect = "evidence.arrow: 48 rows of 24 samples, task score, clustered_match beside the champion's\n"
    assert printed == [
        inspect + "  9 clusters by source\n  slices by topic\n",
        "evidence.arrow: 48 rows of 24 samples, task score, score beside the champion's\n  24 clusters by sample\n",
        "evidence.arrow: 2 rows, task score, new beside the champion's\n  not read: old, cost, x�[2J\n",
    ]
    evidence = Evidence.read(project.home / "evidence.arrow")
    assert (evidence.challenger.tolist(), evidence.champion.tolist()) == ([1.0, 1.0], [0.0, 0.5])


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["inspect", "a.eval", "--label", "y"],
            "--label does not fit inspect; expected it with csv or parquet or jsonl",
        ),
        (["csv", "a.csv", "--variant", "x"], "--variant does not fit csv; expected it with promptfoo only"),
        (["csv", "a.csv", *["--score", "x"] * 3], "--score is given 3 times; expected once, or once for each file"),
        (["csv", "a.csv", "b.csv"], "cannot read: No such file or directory @ b.csv"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_nothing_is_written(
    project: Any, words: list[str], problem: str
) -> None:
    (project.home / "a.csv").write_text("id,score\na,1\n", encoding="utf-8")
    refused = project.run("import", *words, "--out", "evidence.arrow")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"lockgate: {problem}")
    assert refused.stderr.count("\n") == 1
    assert not (project.home / "evidence.arrow").exists()


def test_labels_and_missing_scores_are_said(project: Any) -> None:
    rows = [{"key": n, "label": n % 2, "score": 0.5 if n else None, "site": "x"} for n in range(4)]
    (project.home / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    words = ["jsonl", "a.jsonl", "--id", "key", "--missing", "0.25", "--slice", "site", "--out", "e.arrow"]
    completed = project.run("import", *words)
    assert completed.stdout.splitlines() == [
        "e.arrow: 4 rows, task binary, score without a champion",
        "  slices by site",
        "  1 missing scores count as 0.25",
    ]
    evidence = Evidence.read(Path(project.home / "e.arrow"))
    assert (evidence.label.tolist(), evidence.challenger.tolist()) == ([0, 1, 0, 1], [0.25, 0.5, 0.5, 0.5])
    project.run("import", *words, "--task", "score")
    assert Evidence.read(Path(project.home / "e.arrow")).task == "score"
