"""A growing table, judged on its fresh rows again and again, through the commands: rows as `used_rows.py` chooses."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.configuration import CLASS_CHECKS, write_policy

ROOT = Path(__file__).parents[3]
GATES = write_policy(CLASS_CHECKS, looks=2)
GOOD, POOR, BEST = ("train.columns=[a,b]",), ("train.columns=[a]",), ("train.columns=[a,b,c]",)


@dataclass
class Growing:
    """A project whose table grows at its end."""

    project: Any
    rows: int = 0

    def grow(self, rows: int) -> None:
        file = self.project.conf.parent / "grown.csv"
        lots = random.Random(self.rows)
        lines = ["id,batch,a,b,c,y"] if not self.rows else []
        for number in range(self.rows, self.rows + rows):
            a, b, c = (lots.gauss(0, 1) for _ in range(3))
            late = int(a + b + c + lots.gauss(0, 0.5) > 0)
            lines.append(f"k{number:05d},{self.rows},{a:.5f},{b:.5f},{c:.5f},{late}")
        with file.open("a", encoding="utf-8") as table:
            table.write("\n".join(lines) + "\n")
        self.rows += rows

    def run(self, *words: str, code: int) -> str:
        completed = self.project.run(*words)
        assert completed.returncode == code, completed.stdout + completed.stderr
        return completed.stdout if code == 0 else completed.stderr

    def verdict(self, *words: str) -> dict[str, Any]:
        completed = self.project.run("evaluate", "model=logistic", *words, "--json")
        assert completed.stdout, completed.stderr
        decision: dict[str, Any] = json.loads(completed.stdout)["decision"]
        return decision


@pytest.fixture
def growing(tmp_path: Path, project_at: Any, orders_conf: Path) -> Growing:
    return make_growing(tmp_path, project_at, orders_conf, holdout="{kind: fresh, share: 0.5, by: null}")


def make_growing(folder: Path, project_at: Any, orders_conf: Path, *, holdout: str) -> Growing:
    conf = folder / "conf"
    shutil.copytree(orders_conf, conf)
    options = {"project": "grown", "path": str(folder / "grown.csv"), "target": "y", "key": "[id]", "holdout": holdout}
    options["features"] = "[a, b, c]"
    template = (conf / "data" / "table.yaml").read_text(encoding="utf-8").splitlines()
    lines = [f"{name}: {options[name]}" if (name := line.split(":")[0]) in options else line for line in template]
    (conf / "data" / "orders.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (conf / "gate" / "default.yaml").write_text(GATES, encoding="utf-8")
    project = project_at(home=folder / "home", conf=conf)
    project.home.mkdir()
    growing = Growing(project=project)
    growing.grow(600)
    return growing


def test_the_champion_is_replaced_again_and_again_as_the_table_grows(growing: Growing) -> None:
    assert growing.verdict(*POOR)["verdict"] == "PROMOTE"  # the first: nothing to compare with
    # on the rows that the first one held out, and nobody looked at
    assert growing.verdict(*GOOD)["verdict"] == "PROMOTE"
    refused = growing.run("evaluate", "model=logistic", *BEST, "--report", "report.md", code=3)
    assert "of 600 rows with an outcome, 0 are fresh" in (growing.project.home / "report.md").read_text(
        encoding="utf-8"
    )
    assert "no fresh row with an outcome is there to hold out: of 600 rows with an outcome, 0 are fresh" in refused
    growing.grow(40)
    refused = growing.run("evaluate", "model=logistic", *BEST, code=3)
    assert (
        "rows of the rarer class, at least 20 are asked (min_class_rows) @ data.holdout (nothing was trained;"
        in refused
    )
    assert "40 fresh rows are there, about " in refused
    assert len(growing.project.runs()) == 4  # of which two left nothing
    growing.grow(560)
    assert growing.verdict(*BEST)["verdict"] == "PROMOTE"
    growing.grow(600)
    decisions = [growing.verdict(f"train.columns=[{column}]") for column in "ab"]
    assert [decision["verdict"] for decision in decisions] == ["HOLD", "HOLD"]
    growing.grow(600)
    # two looks have spent the rows since the champion; the rows since those looks are fresh all the same
    decision = growing.verdict("train.columns=[c]")
    assert (decision["verdict"], decision["look"]["number"]) == ("HOLD", 1)


def test_what_runs_had_is_known_by_a_column(tmp_path: Path, project_at: Any, orders_conf: Path) -> None:
    growing = make_growing(tmp_path, project_at, orders_conf, holdout="{kind: fresh, share: 0.5, by: batch}")
    assert growing.verdict(*POOR)["verdict"] == "PROMOTE"
    assert growing.verdict(*GOOD)["verdict"] == "PROMOTE"
    assert "0 are fresh" in growing.run("evaluate", "model=logistic", *BEST, code=3)
    growing.grow(600)
    assert growing.verdict(*BEST)["verdict"] == "PROMOTE"
    assert "'banana' is not a window; expected all" in growing.run("predict", "--window", "banana", code=2)
    assert "1,200 predictions of all with the model of" in growing.run("predict", code=0)
    table, new = (tmp_path / name for name in ("grown.csv", "new.csv"))
    rows = [line.rpartition(",")[0] for line in table.read_text(encoding="utf-8").splitlines()[:201]]
    new.write_text("\n".join(rows) + "\n", encoding="utf-8")  # without the target
    orders = growing.project.conf / "data" / "orders.yaml"
    text = orders.read_text(encoding="utf-8")
    orders.write_text(text.replace("score: null", f"score: {{path: {new}}}"), encoding="utf-8")
    assert f"200 predictions of all of {new} with the model of" in growing.run("predict", code=0)
    facts = growing.project.python("-c", FACTS, growing.project.runs()[-1])
    assert json.loads(facts.stdout.splitlines()[-1]) == {"by": "batch", "largest": 600.0, "rows": 600}


FACTS = """
import json, sys
from lockgate.gates import runs
print(json.dumps(runs.load_claim(sys.argv[1]).evidence.facts["fresh"]))
"""


def test_a_pull_request_and_a_reverification_see_the_same_fresh_rows(growing: Growing, tmp_path: Path) -> None:
    growing.verdict(*POOR)
    growing.grow(600)
    assert growing.verdict(*GOOD)["verdict"] == "PROMOTE"
    assert "no fresh row" in growing.run("reverify", code=3)
    growing.grow(300)
    assert "of the promotion log" in growing.run("reverify", code=0)
    candidates = growing.project.conf / "candidates.yaml"
    candidates.write_text("best: [model=logistic, 'train.columns=[a,b,c]']\n", encoding="utf-8")
    growing.run("bundle", "--out", "champion.tar", code=0)
    growing.run("propose", "--bundle", "champion.tar", "--out", "proposal", code=0)
    head = tmp_path / "head"
    for name in ("gates", "lockgate", "pipelines"):
        shutil.copytree(ROOT / name, head / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(growing.project.conf, head / "conf")
    words = ("--head", str(head), "--base", "main", "--bundle", "champion.tar", "--out", "out", "--json")
    reviewed = growing.project.run("review", "proposal", *words)
    assert reviewed.stdout, reviewed.stderr
    (best,) = [entry for entry in json.loads(reviewed.stdout)["candidates"] if entry["name"] == "best"]
    assert (best["decision"]["verdict"], best["claimed"]) == ("PROMOTE", "")
