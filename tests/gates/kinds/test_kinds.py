"""What holds for every kind of gate, and for the files that declare them.

Tests of gates/gate/check.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from lockgate import Policy, Ruling, Verdict, judge
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.kinds import CLASSES, KINDS, AnyCheck, SingleCheck
from lockgate.gates.kinds.any_of import AnyOf
from tests.conformance.own import from_own_tests

ROOT = Path(__file__).parents[3]
SHARED = {"kind", *Check.model_fields}


@pytest.mark.parametrize("kind", KINDS)
def test_the_docstring_documents_every_key(kind: str) -> None:
    text = KINDS[kind].__doc__ or ""
    table = "\n".join(line for line in text.splitlines() if line.lstrip().startswith("|"))
    own = set(KINDS[kind].model_fields) - SHARED
    assert {key for key in own if f"`{key}`" not in table} == set()
    names = {key for line in table.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert names == own
    assert f"kind: {kind}" in text
    assert text.splitlines()[0].endswith(".")


def test_the_dict_is_the_union_and_names_are_modules() -> None:
    assert tuple(KINDS.values()) == AnyCheck.__args__ == CLASSES
    assert set(CLASSES) - set(SingleCheck.__args__) == {AnyOf}
    for name, kind in KINDS.items():
        assert kind.__module__ == f"lockgate.gates.kinds.{name}"
        assert kind.model_fields["kind"].annotation.__args__ == (name,)


def test_every_file_of_the_folder_that_declares_a_kind_is_listed() -> None:
    declaring = {
        path.stem
        for path in (ROOT / "gates/kinds").glob("*.py")
        if re.search(r"^    kind: Literal\[", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert declaring == set(KINDS), "import the class and list it in CLASSES of gates/kinds/__init__.py"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_tests_of_its_own(kind: str) -> None:
    assert Path(__file__).with_name(f"test_{kind}.py").exists(), (
        f"write tests/gates/kinds/test_{kind}.py: known answers, and a value below, at and above each limit"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_says_about_itself(make, kind: str) -> None:
    assert make.check(kind)["kind"] == kind
    reads = make.reads(kind)
    if reads in (Reads.FACTS, Reads.RUN, Reads.ROW_IDS):
        assert KINDS[kind].unplanned, f"gates/kinds/{kind}.py: say in `unplanned` why no sample is planned"
    outcome = make.judge(make.check(kind), make.evidence()).outcomes[0]
    names = KINDS[kind].part_noun != Check.part_noun
    assert names or not outcome.parts, f"gates/kinds/{kind}.py: say in `part_noun` what the outcome's parts are"
    metrics = KINDS[kind].model_validate(make.check(kind)).compared_metrics
    assert not metrics or reads is Reads.BOTH_MODELS


@pytest.mark.parametrize("kind", KINDS)
def test_the_docstring_shows_gates_that_parse(make, kind: str) -> None:
    examples = [line for line in inspect.getdoc(KINDS[kind]).splitlines() if line.startswith("    ")]
    declared = yaml.safe_load("\n".join(line.strip() for line in examples))
    assert {check["kind"] for check in make.policy(declared).model_dump()["checks"].values()} == {kind}


@pytest.mark.parametrize("path", sorted((ROOT / "conf/gate").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_policy_in_conf_parses_and_says_every_key(path: Path) -> None:
    mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    policy = Policy.parse(mapping)
    assert set(mapping) == set(Policy.model_fields)
    assert list(policy.checks) == list(mapping["checks"])
    assert re.fullmatch(r"[0-9a-f]{64}", policy.digest)


def test_there_are_policies_in_conf() -> None:
    assert {"default.yaml"} <= {path.name for path in (ROOT / "conf/gate").glob("*.yaml")}


SCORES = (Reads.CHALLENGER, Reads.BOTH_MODELS)
ESTIMATING = [name for name, kind in KINDS.items() if getattr(kind, "reads", Reads.CHALLENGER) in SCORES]
"""Kinds that decide by an interval: scores are a sample, all else is counted. `any_of` reads what its checks read."""


def failing(make, kind: str):
    own = from_own_tests(kind, "failing", None)
    if own is not None:
        return own(make)
    good = make.arrays()["challenger"]
    return make.evidence(challenger=1 - good**0.2, champion=good)


@pytest.mark.parametrize("kind", KINDS)
def test_pass_and_fail(make, kind: str) -> None:
    passed, failed = make.judge(make.check(kind), make.evidence()), make.judge(make.check(kind), failing(make, kind))
    assert passed.outcomes[0].verdict == Verdict.PASS, (
        f"{passed.outcomes[0].message}\nchange `example` in gates/kinds/{kind}.py so that Make.evidence passes"
    )
    assert failed.outcomes[0].verdict == Verdict.FAIL, (
        f"{failed.outcomes[0].message}\nadd `failing(make)` to tests/gates/kinds/test_{kind}.py: evidence that fails"
    )
    assert (passed.verdict, passed.exit_code) == (Ruling.PROMOTE, 0)
    assert (failed.verdict, failed.exit_code) == (Ruling.HOLD, 1)
    for outcome in (passed.outcomes[0], failed.outcomes[0]):
        assert (outcome.name, outcome.kind, outcome.severity, outcome.rows) == ("gate", kind, "block", 600)
        assert outcome.rule
        assert outcome.message
        assert outcome.observed is not None
        assert outcome.waived is False
        assert (outcome.level == 0.95) == (kind in ESTIMATING)


@pytest.mark.parametrize("kind", [kind for kind in ESTIMATING if kind not in ("slices", "fairness")])
def test_few_clusters_still_show_an_interval(make, kind: str) -> None:
    clustered = make.judge(make.check(kind), make.evidence(cluster=np.arange(600) // 100)).outcomes[0]
    assert (clustered.verdict, clustered.clusters) == (Verdict.INCONCLUSIVE, 6)
    assert clustered.low is not None


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_champion(make, kind: str) -> None:
    check = {"gate": make.check(kind), "floor": make.checks["threshold"]}
    alone = make.policy(check)
    compares = make.reads(kind) is Reads.BOTH_MODELS
    decision = judge(alone, make.evidence(champion=None))
    assert decision.outcomes[0].verdict == (Verdict.SKIP if compares else Verdict.PASS)
    assert decision.verdict == Ruling.PROMOTE
    hold = make.policy(check, if_no_champion="hold")
    assert judge(hold, make.evidence(champion=None)).exit_code == 1
