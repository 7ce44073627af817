"""A table of somebody's own, from a CSV to predictions, a better model, a worse one, and a file that was written anew.

6,366 answers to a survey of 1974 on marriage (R. Fair, in statsmodels): who had an affair? The answer is a word.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.configuration import CLASS_CHECKS, CONF, write_policy
from tests.conftest import Project

pytestmark = pytest.mark.nightly

TABLE = """
project: affairs
source: table
path: {path}
score: null
task: binary
target: answer
positive: some
key: [person]
time: null
zone: UTC
period: month
as_of: latest
holdout: {{kind: fraction, share: 0.3}}
cluster: null
weight: null
slices: []
features: null
exclude: [affairs]
types: null
nulls: [""]
"""
POLICY = write_policy(CLASS_CHECKS, looks=5)


def write_survey(file: Path, *, occupation: str) -> None:
    """The survey with numbers of five digits for the people, as text, and occupations as `occupation` formats them."""
    from statsmodels.datasets import fair

    rows = fair.load_pandas().data
    rows = rows.assign(
        person=[f"{number:05d}" for number in range(len(rows))],
        occupation=[occupation.format(int(number)) for number in rows["occupation"]],
        answer=rows["affairs"].gt(0).map({True: "some", False: "NA"}),  # no affair: the word of the file, not a gap
    )
    rows.to_csv(file, index=False)


@pytest.fixture
def survey(tmp_path: Path) -> Project:
    """A project of this table: two files in conf/, and two words in conf/config.yaml."""
    conf = Path(shutil.copytree(CONF, tmp_path / "conf"))
    write_survey(tmp_path / "survey.csv", occupation="O{}")
    (conf / "data" / "survey.yaml").write_text(TABLE.format(path=tmp_path / "survey.csv"), encoding="utf-8")
    (conf / "gate" / "survey.yaml").write_text(POLICY, encoding="utf-8")
    config = (conf / "config.yaml").read_text(encoding="utf-8")
    for old, new in (("data: flights", "data: survey"), ("gate: default", "gate: survey")):
        assert old in config
        config = config.replace(old, new)
    (conf / "config.yaml").write_text(config, encoding="utf-8")
    return Project(home=tmp_path, conf=conf)


def evaluate(project: Project, *words: str) -> tuple[int, str]:
    completed = project.run("evaluate", *words)
    return completed.returncode, completed.stdout + completed.stderr


def test_from_a_csv_to_predictions_that_name_people_as_the_file_does(survey: Project) -> None:
    # a first model knows two of the columns, is good enough, and is promoted
    code, text = evaluate(survey, "model=logistic", "train.columns=[age,occupation]")
    assert code == 0, text
    assert "types: {rate_marriage: decimal, age: decimal," in text
    assert "occupation: text," in text
    # its predictions carry the keys of the file, leading zeros and all
    assert survey.run("predict").returncode == 0
    rows = predictions(survey)
    assert len(rows) == 6366
    assert {"00000", "00007", "06365"} <= rows.keys()
    # the mean of the labels is worse: held
    code, text = evaluate(survey, "model=baseline")
    assert code == 1, text
    # a model that knows every column is better: promoted, and predicted with
    code, text = evaluate(survey, "model=logistic")
    assert code == 0, text
    assert survey.run("predict").returncode == 0
    assert predictions(survey) != rows
    # the file is written anew, with occupations as numbers: every one of them would count as never seen
    write_survey(survey.home / "survey.csv", occupation="{}")
    column = "column 'occupation' holds numbers here, and held text when the model was trained; expected text"
    for words, who in ((("evaluate", "model=logistic"), "the champion, EvaluateNewModel/"), (("predict",), "")):
        completed = survey.run(*words)
        assert completed.returncode == 2
        assert column in completed.stderr
        assert who in completed.stderr
        assert 'declare types: {"occupation": text} in conf/data' in completed.stderr
    # declared, they are text again, and of other words than before
    declared = (survey.conf / "data" / "survey.yaml").read_text(encoding="utf-8")
    (survey.conf / "data" / "survey.yaml").write_text(
        declared.replace("types: null", "types: {occupation: text}"), encoding="utf-8"
    )
    assert survey.run("predict").returncode == 0


def predictions(project: Project) -> dict[str, float]:
    """What is served, by key."""
    (file,) = project.home.rglob("predictions.db")
    with sqlite3.connect(file) as database:
        return dict(database.execute("select key, score from current_predictions"))
