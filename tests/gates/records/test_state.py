"""What the state says of models: who is known, who may be served, who comes next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate import State
from lockgate.gates.records.state import Champion, Waiver
from tests.builders import NOON, run_of, sha_of
from tests.gates.log.test_replay import EXPIRED, SUSPECT, make_champion, make_state, reigning_seqs

TICK = timedelta(microseconds=1)
NAMELESS = "entry 3 promoted scores alone: it names no run and no model that could be loaded"


@pytest.mark.parametrize(
    ("options", "revoked", "late", "message"),
    [
        ({}, {}, -TICK, ""),
        ({}, {}, timedelta(0), ""),
        ({}, {}, TICK, "the promotion of EvaluateNewModel/3 expired at 2024-07-30T12:00+00:00"),
        ({"valid_until": None}, {}, TICK, ""),
        ({"suspect": 7}, {}, -TICK, "EvaluateNewModel/3 is suspect since entry 7 retracted what it rests on"),
        ({}, {sha_of("3"): 8}, -TICK, "EvaluateNewModel/3 was revoked by entry 8"),
        ({"suspect": 7}, {sha_of("3"): 8}, TICK, "EvaluateNewModel/3 was revoked by entry 8"),
        ({}, {sha_of("2"): 8}, -TICK, ""),
        ({"run": None}, {}, -TICK, "entry 3 promoted scores alone: it names no run and no model that could be loaded"),
        (
            {"sha256": None},
            {},
            -TICK,
            "entry 3 promoted scores alone: it names no run and no model that could be loaded",
        ),
    ],
)
def test_why_a_model_may_not_be_served(options: dict[str, Any], revoked: Any, late: timedelta, message: str) -> None:
    assert make_champion(3, **options).refusal(NOON + timedelta(days=90) + late, revoked=revoked) == message


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (make_state(3, 2, 1), 2),
        (make_state(3, 1, 2), 2),  # the last promoted, whoever reigned last
        (make_state(3, EXPIRED, 1), 1),
        (make_state(3, SUSPECT, 1), 1),
        (make_state(3, 2, 1, revoked={sha_of("2"): 4}), 1),
        (make_state(2, 3, 1), 1),
        (make_state(1, 3, 2), None),
        (make_state(3), None),
        (make_state(None, 2), None),
    ],
)
def test_who_reigned_before_the_champion_and_may_be_served(state: State, expected: int | None) -> None:
    before = state.find_successor(NOON)
    assert (before and before.seq) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (run_of("3"), 3),
        ("3", 3),
        (run_of("2"), 2),
        ("2", 2),
        ("", None),
        ("9", None),
        ("OtherFlow/2", None),
        ("EvaluateNewModel", None),
        ("EvaluateNewModel/", None),
        ("None", None),
    ],
)
def test_a_model_is_named_by_its_run_or_the_run_s_id(name: str, expected: int | None) -> None:
    result = make_state(3, 2, make_champion(1, run=None)).find_champion(name)
    assert (result and result.seq) == expected


def test_who_is_promoted_reigns_and_who_did_is_first_among_the_others() -> None:
    assert reigning_seqs(State().with_champion(make_champion(1))) == (1, [])
    assert reigning_seqs(make_state(2, 1).with_champion(make_champion(3))) == (3, [2, 1])
    assert reigning_seqs(make_state(3, 2, 1).with_champion(make_champion(1))) == (1, [3, 2])
    assert reigning_seqs(make_state(None, 2, 1).with_champion(make_champion(3))) == (3, [2, 1])
    assert reigning_seqs(make_state(3, 2).with_champion(make_champion(3, suspect=9))) == (3, [2])


def test_who_is_promoted_again_is_known_by_the_later_promotion_only() -> None:
    again = make_champion(4, sha256=sha_of("1"), run=run_of("1"))
    assert reigning_seqs(make_state(3, 2, 1).with_champion(again)) == (4, [3, 2])
    assert reigning_seqs(make_state(1, 3, 2).with_champion(again)) == (4, [3, 2])
    nameless = make_champion(4, sha256=None)
    assert reigning_seqs(make_state(make_champion(3, sha256=None), 2).with_champion(nameless)) == (4, [3, 2])


def test_times_have_a_zone() -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValidationError, match="timezone"):
        Champion(sha256=None, seq=1, valid_until=naive)
    with pytest.raises(ValidationError, match="timezone"):
        Waiver(gate="g", run="r", model="m", policy="p", reason="r", until=naive, approver="a", key="k", seq=1)
