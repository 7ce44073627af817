"""Four tables of strangers, step by step: a first champion, predictions by key, a better model, and a worse one.

The tables ship in packages that the tests use; `strangers.py` writes them as a stranger would have them. Read one test
as a tutorial of docs/own-data.md: what goes into conf/, which commands run, and what they answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.configuration import write_policy
from tests.e2e import strangers

LEAKAGE = "  leakage: {kind: leakage}\n"
CLASSES = write_policy(f"  log_loss: {{kind: improvement, metric: log_loss, margin: 0}}\n{LEAKAGE}", looks=5)
NUMBERS = write_policy(f"  error: {{kind: improvement, metric: mae, margin: 0}}\n{LEAKAGE}", looks=5)
TREES = ("model=hist_gb", "model.max_iter=40")


def test_words_as_target_and_as_key_in_a_table_that_grows(tmp_path: Path, project_at: Any) -> None:
    """Is a film for families? Judged on fresh rows, which is what table.yaml does by default."""
    declared = {"project": "films", "target": "audience", "positive": "family", "key": "[title, year]"}
    films = strangers.make_stranger(tmp_path, project_at, table=declared, policy=CLASSES)
    movies = strangers.read_movies()
    # the first 1,500 films, and a model that knows three columns: promoted, as there is nothing to compare it with
    strangers.write_rows(films.table, movies[:1500])
    assert films.evaluate("model=logistic", "train.columns=[drama,comedy,adventure]")["verdict"] == "PROMOTE"
    # its predictions have the keys of the file, and are what it said of the rows that it held out
    scores = films.predict()
    assert scores.keys() == {f"{film['title'].replace('/', '%2F')}/{film['year']}" for film in movies[:1500]}
    held_out = films.read_holdout()
    assert {key: scores[key] for key in held_out} == pytest.approx(held_out)
    # more films: a model that knows all columns is better on those that the champion never had
    strangers.write_rows(films.table, movies[:2600])
    assert films.evaluate("model=logistic")["verdict"] == "PROMOTE"
    assert films.predict()["Avatar/2009"] != scores["Avatar/2009"]
    # a few more are too few to judge on, and the line says about how many it takes
    strangers.write_rows(films.table, movies[:2620])
    line = films.run("evaluate", "model=baseline", code=3).splitlines()[-1]
    assert "nothing was trained; 20 fresh rows are there, about " in line
    assert "more are missing; evaluate again when the table has grown" in line
    # all films: the mean of the labels is worse, and held
    strangers.write_rows(films.table, movies)
    assert films.evaluate("model=baseline", code=1)["verdict"] == "HOLD"


def test_weeks_without_a_measurement_in_a_table_whose_latest_period_moves(tmp_path: Path, project_at: Any) -> None:
    """Carbon dioxide of the next quarter, from that of a year ago. Some weeks have none: they are not trained on."""
    declared = {"project": "air", "task": "regression", "target": "co2", "key": "[week]", "time": "week"}
    declared |= {"period": "quarter", "holdout": "{kind: period}", "types": "{week: date}"}
    air = strangers.make_stranger(tmp_path, project_at, table=declared, policy=NUMBERS)
    # what rises leaves the range of earlier scores: the store must not take that for a fault
    air.change_conf("store/sqlite.yaml", "max_drift: 0.5", "max_drift: null")
    weeks = strangers.read_carbon_dioxide()
    ends = ("1990-07-15", "1991-01-15", "1991-07-15")
    upto = {end: [row for row in weeks if row["week"] < end] for end in ends}
    # the newest quarter that a later row follows is the second of 1990; the third is predicted, as far as it is there
    strangers.write_rows(air.table, upto["1990-07-15"])
    assert air.evaluate("model=hist_gb", "model.max_iter=5")["verdict"] == "PROMOTE"
    scores = air.predict()
    assert scores.keys() == {"1990-07-07", "1990-07-14"}
    assert all(310 < score < 360 for score in scores.values())
    # half a year later it is the fourth quarter: a model with more trees is better there
    strangers.write_rows(air.table, upto["1991-01-15"])
    assert air.evaluate(*TREES)["verdict"] == "PROMOTE"
    scores = air.predict()
    assert scores.keys() == {"1991-01-05", "1991-01-12"}
    assert 345 < scores["1991-01-05"] < 360
    # half a year later again, the mean of all weeks is worse, and held
    strangers.write_rows(air.table, upto["1991-07-15"])
    assert air.evaluate("model=baseline", code=1)["verdict"] == "HOLD"


@pytest.mark.nightly
def test_numbers_in_clusters(tmp_path: Path, project_at: Any) -> None:
    """Births per woman. The years of one country are alike, so a country is held out as a whole, and counts as one."""
    declared = {"project": "births", "task": "regression", "target": "births", "key": "[code, year]"}
    declared |= {"cluster": "code", "features": "[year, ten_years_ago]", "holdout": "{kind: fraction, share: 0.3}"}
    births = strangers.make_stranger(tmp_path, project_at, table=declared, policy=NUMBERS)
    rows = strangers.read_fertility()
    strangers.write_rows(births.table, rows)
    assert births.evaluate(*TREES, "train.columns=[year]")["verdict"] == "PROMOTE"
    held_out = births.read_holdout()
    scores = births.predict()
    assert scores.keys() == {f"{row['code']}/{row['year']}" for row in rows}
    assert {key: scores[key] for key in held_out} == pytest.approx(held_out)
    # the mean of all is worse than the mean of a year: held, on some 60 countries
    decision = births.evaluate("model=baseline", code=1)
    assert decision["verdict"] == "HOLD"
    (error,) = (check for check in decision["outcomes"] if check["name"] == "error")
    assert 20 <= error["clusters"] == len({key.split("/")[0] for key in held_out})
    # what a country had ten years before says far more
    assert births.evaluate(*TREES)["verdict"] == "PROMOTE"
    scores = births.predict()
    assert scores["NER/2000"] - scores["ITA/2000"] > 4


@pytest.mark.nightly
def test_rows_to_predict_in_a_file_without_the_target(tmp_path: Path, project_at: Any) -> None:
    """Visits to a doctor. No column names a person, so rows are numbered: from 0, in each file."""
    declared = {"project": "visits", "task": "regression", "target": "mdvis", "score": "{path: new.csv}"}
    declared |= {"holdout": "{kind: fraction, share: 0.3}"}
    visits = strangers.make_stranger(tmp_path, project_at, table=declared, policy=NUMBERS)
    rows = strangers.read_visits()
    new = [{name: value for name, value in row.items() if name != "mdvis"} for row in rows[::50]]
    strangers.write_rows(visits.table, rows)
    strangers.write_rows(tmp_path / "new.csv", new)
    assert visits.evaluate(*TREES, "train.columns=[lncoins,idp]")["verdict"] == "PROMOTE"
    before = visits.predict()
    assert before.keys() == {str(number) for number in range(len(new))}
    assert "no prediction for '404' in the current version" in visits.run("predictions", "get", "404", code=2)
    assert visits.evaluate("model=baseline", code=1)["verdict"] == "HOLD"
    assert visits.evaluate(*TREES)["verdict"] == "PROMOTE"
    after = visits.predict()
    assert after.keys() == before.keys()
    assert len(set(after.values())) > len(set(before.values()))
