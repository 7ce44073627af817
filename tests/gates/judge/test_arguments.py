"""What `judge`, `Policy` and `State` say of objects that are none of theirs: one line, and nothing of Python's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lockgate import Policy, State, judge
from lockgate.gates.errors import LogError, PolicyError
from tests.gates.conftest import DECLARED, Make
from tests.hostile.objects import REFUSED, RaisesInRepr, check_all, refused_line


def test_arguments_of_other_types() -> None:
    policy, evidence = Make.policy(), Make.evidence()

    def check(make: Callable[[], Any]) -> None:
        assert "policy is a" in refused_line(lambda: judge(make(), evidence))
        assert "evidence is a" in refused_line(lambda: judge(policy, make()))
        assert "state is a" in refused_line(lambda: judge(policy, evidence, make()))
        assert "time zone" in refused_line(lambda: judge(policy, evidence, now=make()))
        if not isinstance(make(), str):
            assert "uncompared is a" in refused_line(lambda: judge(policy, evidence, uncompared=make()))
            assert "claimed is a" in refused_line(lambda: judge(policy, evidence, claimed=make()))

    check_all({**REFUSED, "no time": lambda: pd.NaT, "a naive time": lambda: datetime(2026, 1, 1)}, check)  # noqa: DTZ001
    assert judge(policy, evidence, None, now=pd.Timestamp("2026-01-01", tz=UTC)).verdict == "PROMOTE"


def test_policies_of_other_types(tmp_path: Path) -> None:
    def check(make: Callable[[], Any]) -> None:
        assert "gate" in refused_line(lambda: Policy.parse(make()))
        for key in DECLARED:
            with pytest.raises(PolicyError) as caught:
                Policy.parse(Make.mapping(**{key: make()}))
            assert all(line.isprintable() and f"@ gate.{key}" in line for line in caught.value.problems)
        for checks in (make(), {"gate": make()}, {"gate": {**Make.checks["threshold"], "metric": make()}}):
            with pytest.raises(PolicyError):
                Policy.parse({**DECLARED, "checks": checks})

    kinds = {name: make for name, make in REFUSED.items() if name not in ("raises everywhere", "a number")}
    check_all(kinds, check)
    refused_line(lambda: Policy.parse(RaisesInRepr()))
    refused_line(lambda: Policy.parse({**DECLARED, "checks": RaisesInRepr()}))
    refused_line(lambda: Policy.parse({**DECLARED, "confidence": RaisesInRepr(), "checks": Make.checks}))
    refused_line(lambda: Policy.parse({1: 2}))
    for path in ("a\0b", tmp_path, tmp_path / "missing.yaml", 5, None, b"x", RaisesInRepr()):
        refused_line(lambda path=path: Policy.read(path))
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(Make.mapping()), encoding="utf-8")
    assert Policy.read(str(file)) == Policy.read(file) == Make.policy()


def test_states_of_other_types() -> None:
    def check(make: Callable[[], Any]) -> None:
        assert "state" in refused_line(lambda: State.parse(make()))
        assert "state" in refused_line(lambda: State.parse({"salt": {"x": make()}}))

    check_all(REFUSED, check)
    state = Make.judge(Make.checks["threshold"], Make.evidence()).state
    assert State.parse(state.model_dump(mode="json")) == state
    with pytest.raises(LogError, match=r"this is not a state .*Field required @ state.champion.seq"):
        State.parse({"champion": {"sha256": None}})
    with pytest.raises(LogError, match=r"@ state.colour"):
        State.parse({"colour": 1})
