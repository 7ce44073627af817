"""Four tables that ship in Python packages, as CSV files of a stranger, and a project for each."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.configuration import CONF

Row = dict[str, Any]
GENRES = ("Drama", "Comedy", "Thriller", "Action", "Romance", "Adventure", "Fantasy", "Sci-Fi", "Animation", "Horror")
READ_HOLDOUT = """
import json, sys
from lockgate.gates import runs
evidence = runs.load_claim(sys.argv[1]).evidence
print(json.dumps(dict(zip(evidence.row_id.to_pylist(), evidence.challenger.tolist()))))
"""


def read_shipped(package: str, file: str) -> list[Row]:
    """The rows of a CSV file in an installed package, which is not imported for that."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    with (Path(spec.origin).parent / file).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def read_movies() -> list[Row]:
    """3,651 films of a tutorial of Metaflow, by title: some genres, and whether they are for families."""
    shipped = read_shipped("metaflow", "tutorials/02-statistics/movies.csv")
    films = {(row["movie_title"], row["title_year"]): row for row in shipped}  # 100 are listed twice
    return [
        {
            "title": title,
            "year": year,
            **{genre.lower(): str(genre in row["genres"].split("|")).lower() for genre in GENRES},
            "audience": "family" if "Family" in row["genres"].split("|") else "adults",
        }
        for (title, year), row in sorted(films.items())
    ]


def read_carbon_dioxide() -> list[Row]:
    """2,284 weeks on Mauna Loa, 59 of them without a measurement; beside each, that of 52 weeks before."""
    weeks = read_shipped("statsmodels", "datasets/co2/co2.csv")
    return [
        {"week": day.isoformat(), "of_year": day.isocalendar().week, "year_ago": before["co2"], "co2": week["co2"]}
        for before, week in zip(weeks, weeks[52:], strict=False)
        for day in [date.fromisoformat(week["date"])]
    ]


def read_fertility() -> list[Row]:
    """Births per woman of 219 countries and regions, one row a year, with what was known ten years before."""
    return [
        {
            "code": country["Country Code"],
            "year": str(year),
            "ten_years_ago": country[str(year - 10)],
            "births": country[str(year)],
        }
        for country in read_shipped("statsmodels", "datasets/fertility/fertility.csv")
        for year in range(1970, 2012, 3)
    ]


def read_visits() -> list[Row]:
    """Visits to a doctor of 20,190 insured persons, in RAND's experiment. No column names a row."""
    return read_shipped("statsmodels", "datasets/randhie/randhie.csv")


@dataclass
class Stranger:
    """A project folder with a conf/ of its own, in which one table is declared, and a policy of a few lines."""

    project: Any
    table: Path = field(init=False)

    def __post_init__(self) -> None:
        self.table = self.project.home / "table.csv"

    def run(self, *words: str, code: int = 0) -> str:
        """What the command says."""
        completed = self.project.run(*words)
        assert completed.returncode == code, completed.stdout + completed.stderr
        return str(completed.stdout + completed.stderr)

    def change_conf(self, file: str, shipped: str, own: str) -> None:
        """Write something else into a file of conf/."""
        change_text(self.project.home / "conf" / file, shipped, own)

    def evaluate(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The decision, which is also in the log."""
        completed = self.project.run("evaluate", *words, "--json")
        assert completed.returncode == code, completed.stdout + completed.stderr
        decision: dict[str, Any] = json.loads(completed.stdout)["decision"]
        assert self.project.history()[-1]["event"]["decision"]["verdict"] == decision["verdict"]
        return decision

    def predict(self) -> dict[str, float]:
        """What is served after `lockgate predict`, by key; the console command gives the same for the first key."""
        self.run("predict")
        with closing(sqlite3.connect(self.project.home / "predictions.db")) as database:
            scores: dict[str, float] = dict(database.execute("select key, score from current_predictions"))
        key = next(iter(scores))
        assert json.loads(self.run("predictions", "get", key, "--json"))["score"] == scores[key]
        return scores

    def read_holdout(self) -> dict[str, float]:
        """What the model of the last run gave the rows that it held out, by key."""
        completed = self.project.python("-c", READ_HOLDOUT, self.project.runs()[-1])
        assert completed.returncode == 0, completed.stderr
        scores: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
        return scores


def change_text(file: Path, shipped: str, own: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert shipped in text
    file.write_text(text.replace(shipped, own), encoding="utf-8")


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """A CSV file of these rows, all of which have the same columns."""
    rows = list(rows)
    with file.open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_stranger(home: Path, project_at: Callable[..., Any], *, table: dict[str, str], policy: str) -> Stranger:
    """A copy of the shipped conf/, with lines of conf/data/table.yaml filled in and a policy in conf/gate/mine.yaml."""
    conf = Path(shutil.copytree(CONF, home / "conf"))
    declared = {"path": "table.csv", **table}
    template = (conf / "data" / "table.yaml").read_text(encoding="utf-8").splitlines()
    lines = [f"{name}: {declared.pop(name)}" if (name := line.split(":")[0]) in declared else line for line in template]
    assert not declared
    (conf / "data" / "table.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (conf / "gate" / "mine.yaml").write_text(policy, encoding="utf-8")
    change_text(conf / "config.yaml", "data: flights", "data: table")
    change_text(conf / "config.yaml", "gate: default", "gate: mine")
    return Stranger(project_at(home=home, conf=conf))
