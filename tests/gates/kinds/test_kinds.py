"""What holds for every kind of gate, and for the files that declare them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from lockgate import Policy, Ruling, Verdict, judge
from lockgate.gates.gate.check import Check
from lockgate.gates.kinds import KINDS
from lockgate.gates.policy.policy import AnyCheck

ROOT = Path(__file__).parents[3]
SHARED = {"kind", *Check.model_fields}
COMPARING = ["improvement", "slices", "condition", "disagreement"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_docstring_documents_every_key(kind: str) -> None:
    text = KINDS[kind].__doc__ or ""
    table = "\n".join(line for line in text.splitlines() if line.lstrip().startswith("|"))
    own = set(KINDS[kind].model_fields) - SHARED
    assert {key for key in own if f"`{key}`" not in table} == set()
    named = {key for line in table.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == own
    assert f"kind: {kind}" in text
    assert text.splitlines()[0].endswith(".")


def test_the_dict_is_the_union_and_names_are_modules() -> None:
    assert set(KINDS.values()) == set(AnyCheck.__args__)
    for kind, made in KINDS.items():
        assert made.__module__ == f"lockgate.gates.kinds.{kind}"
        assert made.model_fields["kind"].annotation.__args__ == (kind,)


@pytest.mark.parametrize("path", sorted((ROOT / "conf/gate").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_policy_in_conf_parses_and_says_every_key(path: Path) -> None:
    mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    policy = Policy.parse(mapping)
    assert set(mapping) == set(Policy.model_fields)
    assert list(policy.checks) == list(mapping["checks"])
    assert re.fullmatch(r"[0-9a-f]{64}", policy.digest)


def test_there_are_policies_in_conf() -> None:
    assert {"default.yaml"} <= {path.name for path in (ROOT / "conf/gate").glob("*.yaml")}


def test_every_kind_is_tried_here(make) -> None:
    assert set(make.checks) == set(KINDS)


FAILING_FACTS = {
    "data": {"features": {"outcome": {"kind": "number", "train": {"cells": [9]}, "holdout": {"cells": [600]}}}},
    "resource": {"fit_seconds": 61},
    "provenance": {"code": {"commit": "c" * 40, "clean": False}},
    "parity": {"parity": {"rows": 600, "max_difference": 1e-17}},
}
WITHOUT_LEVEL = ["leakage", *FAILING_FACTS]


def failing(make, kind: str):
    held = make.arrays()
    if kind == "leakage":
        return make.evidence(facts={"train_row_hashes": held["facts"]["train_row_hashes"]}, row_id=np.arange(700, 1300))
    if kind in FAILING_FACTS:
        return make.evidence(facts=make.facts(**FAILING_FACTS[kind]))
    if kind == "disagreement":
        return make.evidence(champion=1 - held["challenger"])
    if kind == "fairness":
        west = held["slices"]["site"] == "west"
        return make.evidence(challenger=np.where(west, 1 - held["challenger"], held["challenger"]))
    return make.evidence(challenger=1 - held["challenger"] ** 0.2, champion=held["challenger"])


@pytest.mark.parametrize("kind", KINDS)
def test_pass_and_fail(make, kind: str) -> None:
    passed, failed = make.judge(make.check(kind), make.evidence()), make.judge(make.check(kind), failing(make, kind))
    assert (passed.outcomes[0].verdict, passed.verdict, passed.exit_code) == (Verdict.PASS, Ruling.PROMOTE, 0)
    assert (failed.outcomes[0].verdict, failed.verdict, failed.exit_code) == (Verdict.FAIL, Ruling.HOLD, 1)
    for outcome in (passed.outcomes[0], failed.outcomes[0]):
        assert (outcome.name, outcome.kind, outcome.severity, outcome.rows) == ("gate", kind, "block", 600)
        assert outcome.rule
        assert outcome.message
        assert outcome.observed is not None
        assert outcome.waived is False
        assert (outcome.level == 0.95) == (kind not in WITHOUT_LEVEL)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT_LEVEL])
def test_few_rows_and_few_clusters_are_inconclusive(make, kind: str) -> None:
    check = make.check(kind, **({"max": 0.2} if kind == "disagreement" else {}))  # 9 rows could show less than .5
    few = make.judge(check, make.evidence(9))
    clustered = make.judge(check, make.evidence(cluster=np.arange(600) // 100))
    for decision in (few, clustered):
        assert (decision.outcomes[0].verdict, decision.exit_code) == (Verdict.INCONCLUSIVE, 3)
    if kind not in ("slices", "fairness"):
        assert clustered.outcomes[0].low is not None


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_champion(make, kind: str) -> None:
    check = {"gate": make.check(kind), "floor": make.checks["threshold"]}
    alone = make.policy(check)
    decision = judge(alone, make.evidence(champion=None))
    assert decision.outcomes[0].verdict == (Verdict.SKIP if kind in COMPARING else Verdict.PASS)
    assert decision.verdict == Ruling.PROMOTE
    hold = make.policy(check, if_no_champion="hold")
    assert judge(hold, make.evidence(champion=None)).exit_code == 1
