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
from lockgate.pipelines.settings.settings import ROOT, compose

settings = compose().settings
table = data.load(settings.data, root=ROOT)
challenger, champion = sys.argv[1:]
found = next_month(settings, table, challenger=challenger, champion=champion, metric="log_loss")
held = data.split(table, settings.data, settings.train, "2024-06")

def loss(run):
    told = runs.load_claim(run).evidence.facts["challenger"]
    model = load_model(told["format"], runs.load_model_bytes(run), sha256=told["sha256"])
    return log_loss(held.labels, model.score(held.holdout))

print(json.dumps([found, loss(challenger) - loss(champion)]))
"""


@pytest.mark.nightly
def test_the_month_after(promoted: Any) -> None:
    done = promoted.run("evaluate", "--advisory", "model=baseline")
    assert done.returncode in (1, 3), done.stderr
    champion, challenger = promoted.runs()
    told = promoted.python("-c", CODE, challenger, champion)
    assert told.returncode == 0, told.stderr
    found, expected = json.loads(told.stdout.splitlines()[-1])
    assert found == pytest.approx(expected, rel=1e-9)
    assert found > 0.05  # the share of late orders knows less than the trees
