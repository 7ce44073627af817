"""The same rows give the same bytes: in any order, in any process, with any clock."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lockgate import State, judge
from lockgate.gates.kinds import KINDS

ROOT = Path(__file__).parents[2]
JUDGE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import yaml
from lockgate import Evidence, Policy, judge
policy = Policy.parse(yaml.safe_load(Path(sys.argv[1]).read_text()))
decision = judge(policy, Evidence.read(sys.argv[2]), now=datetime(2024, 5, 1, tzinfo=UTC))
sys.stdout.write(decision.to_json())
"""


def evidence(make, order: np.ndarray | None = None):
    value = make.arrays(900)
    order = np.arange(900) if order is None else order
    rng = np.random.default_rng(12)
    more = {"cluster": rng.integers(0, 40, 900), "weight": rng.uniform(0.1, 3, 900)}
    columns = {name: value[name][order] for name in ("label", "challenger", "champion", "row_id", "period")}
    site = np.array(["a", "b", "ü", "z"])[rng.integers(0, 4, 900)]
    return make.evidence(
        900,
        **columns,
        **{name: values[order] for name, values in more.items()},
        slices={"site": site[order], "carrier": site[order]},
        facts=make.facts(900, challenger={"run": "flow/1"}),
    )


def test_processes(make, tmp_path: Path) -> None:
    evidence(make).write(tmp_path / "evidence.arrow")
    message = set()
    for seed, zone, locale in (("0", "UTC", "C"), ("4711", "Pacific/Kiritimati", "C.UTF-8")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-c", JUDGE, str(ROOT / "conf/gate/default.yaml"), str(tmp_path / "evidence.arrow")]
        completed = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=True)
        message.add(completed.stdout)
    assert len(message) == 1
    assert b'"outcomes":[' in message.pop()


@pytest.mark.parametrize("schedule", ["fixed", "open"])
def test_rows_in_any_order(make, schedule: str) -> None:
    policy = make.policy(
        dict(make.checks), schedule={"kind": schedule, **({"looks": 3} if schedule == "fixed" else {})}
    )
    now = datetime(2024, 5, 1, tzinfo=UTC)
    once = judge(policy, evidence(make), now=now)
    assert {outcome.kind for outcome in once.outcomes} == set(KINDS)
    for seed in range(3):
        shuffled = evidence(make, np.random.default_rng(seed).permutation(900))
        assert judge(policy, shuffled, now=now).to_json() == once.to_json()
    assert judge(policy, evidence(make), State(), now=now).sha256 == once.sha256


def test_judging_changes_nothing_that_it_was_given(make) -> None:
    value, policy, state = evidence(make), make.policy(dict(make.checks)), State()
    before = (value.to_bytes(), policy.digest, state.model_dump_json())
    judge(policy, value, state)
    assert (value.to_bytes(), policy.digest, state.model_dump_json()) == before


def test_the_size_of_weights_does_not_matter(make) -> None:
    value = make.arrays()
    weight = np.random.default_rng(1).uniform(0.5, 2, 600)
    policy = make.policy(dict(make.checks))
    numbers = []
    for scale in (1.0, 2.0**-900, 1e-300, 1e300):
        outcomes = judge(policy, make.evidence(weight=weight * scale, champion=value["champion"])).outcomes
        numbers.append([x for o in outcomes for x in (o.observed, o.low, o.high) if x is not None])
    assert numbers[0] == numbers[1]
    assert numbers[2] == pytest.approx(numbers[0], rel=1e-9)
    assert numbers[3] == pytest.approx(numbers[0], rel=1e-9)
    assert len(numbers[0]) > 13
