"""A rolling holdout through the commands: three months, each predicted by a model that was trained before it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

EVERY = "{kind: periods, metric: log_loss, margin: 0, require: every, min_periods: 3}"
POLICY = f"""
if_no_champion: absolute_only
confidence: 0.95
clusters: required
min_clusters: 10
min_class_rows: 2
serial_dependence: if_ordered
schedule: {{kind: single}}
disclose: all
valid_for: 90d
checks:
  auc_floor: {{kind: threshold, metric: auc, min: 0.60, decide: bound}}
  every:     {EVERY}
  mean:      {EVERY.replace("every", "mean")}
  leakage:   {{kind: leakage}}
  drift:     {{kind: drift, of: features, measure: psi, against: training, max: 0.25, decide: point}}
"""
WEAK = ("model.trees=1", "model.max_depth=1")


@pytest.fixture(scope="module")
def rolling(tmp_path_factory: pytest.TempPathFactory, project_at: Any, orders_conf: Path) -> Any:
    """A project of orders that holds three months out, with a weak champion of April and a challenger of June."""
    folder = tmp_path_factory.mktemp("rolling")
    conf = folder / "conf"
    shutil.copytree(orders_conf, conf)
    orders = conf / "data" / "orders.yaml"
    text = orders.read_text(encoding="utf-8")
    assert "{kind: period}" in text
    orders.write_text(text.replace("{kind: period}", "{kind: rolling, periods: 3}"), encoding="utf-8")
    (conf / "gate" / "default.yaml").write_text(POLICY, encoding="utf-8")
    project = project_at(home=folder / "home", conf=conf)
    project.home.mkdir()
    first = project.run("evaluate", "as_of=2024-04", *WEAK)
    assert first.returncode == 0, first.stderr + first.stdout
    assert project.run("bundle", "--out", "champion.tar").returncode == 0
    second = project.run("evaluate", "as_of=2024-06", "--json")
    assert second.returncode == 0, second.stderr + second.stdout
    return project


def test_the_log_says_what_each_month_shows(rolling: Any) -> None:
    first, second = (
        {gate["name"]: gate for gate in entry["event"]["decision"]["outcomes"]} for entry in rolling.history()
    )
    assert (first["every"]["verdict"], first["mean"]["verdict"]) == ("SKIP", "SKIP")
    assert [gate["verdict"] for gate in second.values()] == ["PASS"] * 5
    months = ["2024-04", "2024-05", "2024-06"]
    assert [part["name"] for part in second["every"]["parts"]] == months
    assert [part["name"] for part in second["mean"]["parts"]] == months
    gains = [part["observed"] for part in second["mean"]["parts"]]
    assert second["mean"]["observed"] == pytest.approx(sum(gains) / 3)
    assert sum(part["rows"] for part in second["every"]["parts"]) == second["leakage"]["rows"]
    assert "of their period's model, or of an earlier period's" in second["leakage"]["message"]


EVIDENCE = """
import json, sys
import numpy as np
from lockgate.gates import runs
from lockgate.pipelines import data
from lockgate.pipelines.models import MODELS, load_model
from lockgate.pipelines.scoring.champion import load_from_log
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose

run, champion = sys.argv[1:]
settings = compose(("as_of=2024-06",)).settings
table = data.load(settings.data, root=ROOT)
evidence = runs.load_claim(run).evidence
loaded = {name: runs.load_claim(name).evidence.facts["challenger"] for name in (run, champion)}
served, reigned = (
    load_model(facts["format"], runs.load_model_bytes(name), sha256=facts["sha256"]) for name, facts in loaded.items()
)
answer = {"as_of": evidence.facts["as_of"], "periods": evidence.facts["periods"], "rows": evidence.facts["rows"]}
for number, period in enumerate(evidence.period.values):
    split = data.split(table, settings.data, settings.train, period)
    order = {row: place for place, row in enumerate(split.row_ids)}
    inside = evidence.period.codes == number
    places = [order[row] for row in np.asarray(evidence.row_id)[inside]]
    fitted = MODELS["xgb"].fit(
        split.train, split.train_labels, params=settings.model.params, task="binary", seed=settings.seed
    )
    answer[period] = {
        "rows": len(places) == len(split.row_ids),
        "own": float(np.abs(evidence.challenger[inside] - fitted.score(split.holdout)[places]).max()),
        "served": float(np.abs(evidence.challenger[inside] - served.score(split.holdout)[places]).max()),
        "champion": float(np.abs(evidence.champion[inside] - reigned.score(split.holdout)[places]).max()),
    }
print(json.dumps(answer))
"""


def test_each_month_is_scored_by_a_model_that_was_trained_before_it(rolling: Any) -> None:
    champion, challenger = rolling.runs()[:2]
    done = rolling.python("-c", EVIDENCE, challenger, champion)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["as_of"] == "2024-06"
    assert [period["period"] for period in answer["periods"]] == ["2024-04", "2024-05"]
    assert answer["rows"]["holdout"] > sum(period["rows"]["holdout"] for period in answer["periods"])
    for month in ("2024-04", "2024-05", "2024-06"):
        assert answer[month]["rows"]
        assert answer[month]["own"] == pytest.approx(0, abs=1e-6)
        assert answer[month]["champion"] == pytest.approx(0, abs=1e-6)
    assert answer["2024-06"]["served"] == 0
    assert min(answer[month]["served"] for month in ("2024-04", "2024-05")) > 0.01


MONTHS = """
import json, sys
from lockgate.pipelines import data
from lockgate.pipelines.scoring.month_by_month import judge_months
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose

composed = compose(("as_of=2024-06",))
settings = composed.settings
table = data.load(settings.data, root=ROOT)
challenger, champion, months = sys.argv[1:]
outcomes = judge_months(
    settings, table, composed.policy, challenger=challenger, champion=champion, months=int(months),
    metric="log_loss", margin=0.0, report=lambda *_, **__: None,
)
print(json.dumps([outcome.model_dump(mode="json") for outcome in outcomes]))
"""


def test_the_same_is_found_after_the_fact(rolling: Any) -> None:
    """`judge_months` fits the earlier months again, and leaves out those that the champion was trained on."""
    champion, challenger = rolling.runs()[:2]
    logged = {gate["name"]: gate for gate in rolling.history()[1]["event"]["decision"]["outcomes"]}
    for months in (3, 4):
        done = rolling.python("-c", MONTHS, challenger, champion, str(months))
        assert done.returncode == 0, done.stderr
        every, mean = json.loads(done.stdout.splitlines()[-1])
        for again, before in ((every, logged["every"]), (mean, logged["mean"])):
            assert [part["observed"] for part in again["parts"]] == pytest.approx(
                [part["observed"] for part in before["parts"]]
            )
            assert again["verdict"] == ("PASS" if months == 3 else "INCONCLUSIVE")


MISTAKES = {
    "no month to train on": (
        ("as_of=2024-02",),
        (
            "no rows with an outcome to train on before 2023-12, for 3 months up to 2024-02;"
            " expected as_of from 2024-04 to 2024-06, or fewer months @ as_of, data.holdout.periods"
        ),
    ),
    "no such month": (
        ("as_of=2024-07",),
        (
            "no rows with an outcome to hold out in 2024-07, for 3 months up to 2024-07;"
            " expected as_of from 2024-04 to 2024-06, or fewer months @ as_of, data.holdout.periods"
        ),
    ),
    "the champion learned from a month": (
        ("as_of=2024-05", "--bundle", "champion.tar"),
        (
            "was trained on 2024-03: there it cannot be compared; expected as_of=2024-06 or later, so that all 3 months"
            " lie after its training, or data.holdout.periods: 2 @ as_of, data.holdout.periods"
        ),
    ),
    "a single month": (("data.holdout.periods=1",), "data.holdout.periods"),
}


@pytest.mark.parametrize(("overrides", "message"), MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_compared_is_refused_in_a_line(rolling: Any, overrides: tuple[str, ...], message: str) -> None:
    before = len(rolling.history())
    done = rolling.run("evaluate", *overrides, COLUMNS="400")
    assert done.returncode == 2, done.stdout
    assert message in " ".join(done.stderr.split())
    assert len(rolling.history()) == before


def test_fewer_months_are_shown_but_not_logged(rolling: Any) -> None:
    """data.holdout belongs to the gates' owners: an override of it is advice."""
    before = len(rolling.history())
    done = rolling.run("evaluate", "as_of=2024-06", "data.holdout.periods=2", "--bundle", "champion.tar")
    assert done.returncode == 3, done.stderr
    assert "only 2 periods, at least 3 are asked" in " ".join(done.stdout.split())
    assert len(rolling.history()) == before


RESCORED = """
import json
from pathlib import Path
from lockgate.pipelines.pull_requests import proposal
from lockgate.pipelines.pull_requests.rescore import Basis
from lockgate.pipelines.scoring.champion import find_opponent
from lockgate.pipelines.scoring.confined import open_confinement
from lockgate.pipelines.settings.settings import compose

settings = compose(("as_of=2024-06",)).settings
(candidate,) = proposal.read_proposal(Path("proposal")).candidates
with open_confinement("xgboost-ubj") as confinement:
    rival = find_opponent(settings, Path("champion.tar"), load=confinement.load)
    basis = Basis(settings=settings, reigning=rival.reigning)
    rescored = basis.rescore(Path("proposal"), candidate.name, kind="xgb", confinement=confinement)
evidence, claim = rescored.evidence, proposal.read_evidence(Path("proposal"), candidate.name)
print(json.dumps([
    rescored.claimed,
    evidence.period.values,
    bool((evidence.challenger == claim.challenger).all() and (evidence.champion == claim.champion).all()),
    evidence.train_digest == claim.train_digest,
]))
"""


@pytest.mark.nightly
def test_in_a_pull_request_the_scores_stay_a_claim(rolling: Any, tmp_path: Path, project_at: Any) -> None:
    """Only the last month's model travels, so that the other months' scores cannot be made again."""
    conf = tmp_path / "conf"
    shutil.copytree(rolling.conf, conf)
    orders = conf / "data" / "orders.yaml"
    orders.write_text(orders.read_text(encoding="utf-8").replace("2024-05", "2024-06"), encoding="utf-8")
    project = project_at(home=tmp_path / "home", conf=conf)
    project.home.mkdir()
    shutil.copy(rolling.home / "champion.tar", project.home)
    assert project.run("propose", "--bundle", "champion.tar", "--out", "proposal").returncode == 0
    done = project.python("-c", RESCORED)
    assert done.returncode == 0, done.stderr
    claimed, periods, same, trained = json.loads(done.stdout.splitlines()[-1])
    assert claimed == "the models of the earlier periods are not in the proposal, and cannot be scored again"
    assert (periods, same, trained) == (["2024-04", "2024-05", "2024-06"], True, True)


@pytest.mark.nightly
def test_the_champion_is_judged_again_on_the_month_after_alone(rolling: Any, tmp_path: Path) -> None:
    project = rolling.copy(tmp_path)
    assert project.run("rollback", "--reason", "try the first again").returncode == 0
    done = project.run("reverify", "as_of=2024-05")
    assert done.returncode == 0, done.stdout + done.stderr
    event = project.history()[-1]["event"]
    gates = {gate["name"]: gate for gate in event["decision"]["outcomes"]}
    assert (gates["leakage"]["verdict"], gates["every"]["verdict"]) == ("PASS", "SKIP")
    assert gates["leakage"]["rows"] < 700


@pytest.mark.nightly
def test_a_selftest_tries_the_gates_over_periods(rolling: Any) -> None:
    done = rolling.run("selftest", "as_of=2024-06", "--trials", "40", "--seeds", "2", "--json")
    assert done.returncode in (0, 1), done.stderr
    gates = {gate["name"]: gate for gate in json.loads(done.stdout)["gates"]}
    assert gates["every"]["moved"]
    assert gates["mean"]["moved"]
    assert not gates["every"]["problem"]
