"""What the month after showed, against scikit-learn on the same rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

CODE = """
import json, sys
from sklearn.metrics import log_loss
from lockgate.gates import runs
from lockgate.pipelines import data
from lockgate.pipelines.scoring.hindsight import next_month
from lockgate.pipelines.models import load_model
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose

settings = compose().settings
table = data.load(settings.data, root=ROOT)
challenger, champion = sys.argv[1:]
difference = next_month(settings, table, challenger=challenger, champion=champion, metric="log_loss")
split = data.split(table, settings.data, settings.train, "2024-06")

def loss(run):
    facts = runs.load_claim(run).evidence.facts["challenger"]
    model = load_model(facts["format"], runs.load_model_bytes(run), sha256=facts["sha256"])
    return log_loss(split.labels, model.score(split.holdout))

print(json.dumps([difference, loss(challenger) - loss(champion)]))
"""


@pytest.mark.nightly
def test_the_month_after(promoted: Any) -> None:
    completed = promoted.run("evaluate", "--advisory", "model=baseline")
    assert completed.returncode in (1, 3), completed.stderr
    champion, challenger = promoted.runs()
    answer = promoted.python("-c", CODE, challenger, champion)
    assert answer.returncode == 0, answer.stderr
    difference, expected = json.loads(answer.stdout.splitlines()[-1])
    assert difference == pytest.approx(expected, rel=1e-9)
    assert difference > 0.05  # the share of late orders knows less than the trees
