"""A hundred challengers without a gain on one holdout, through `judge`, with the state carried along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockgate import Evidence, Policy, State, judge

ROWS, CHALLENGERS = 120, 100


def policy(schedule: dict[str, object], disclose: str = "all") -> Policy:
    gain = {"kind": "improvement", "metric": "mae", "margin": 0.0}
    return Policy.parse(
        {
            "if_no_champion": "absolute_only",
            "confidence": 0.9,
            "clusters": "ignore",
            "min_clusters": 10,
            "min_class_rows": 2,
            "serial_dependence": "if_ordered",
            "schedule": schedule,
            "disclose": disclose,
            "valid_for": "90d",
            "checks": {"gain": gain},
        }
    )


def holdout(lots: np.random.Generator) -> Evidence:
    """Labels that nothing can predict, and a champion that guesses."""
    label, champion = lots.normal(size=(2, ROWS))
    ids = lots.integers(0, 2**62, ROWS)
    return Evidence.from_arrays(row_id=ids, label=label, challenger=champion, champion=champion, task="regression")


def add_challenger(rows: Evidence, lots: np.random.Generator) -> Evidence:
    """A challenger that is nearer to the label in about half of the rows, by chance."""
    assert rows.champion is not None
    return replace(rows, challenger=rows.champion + lots.choice([-0.01, 0.01], rows.n))


def promotions(declared: Policy, rows: Evidence, lots: np.random.Generator) -> int:
    """How many of the challengers are promoted, each against the same champion."""
    state, promoted = State(), 0
    for _ in range(CHALLENGERS):
        decision = judge(declared, add_challenger(rows, lots), state)
        promoted += decision.verdict == "PROMOTE"
        state = decision.state.model_copy(update={"champion": None})
    return promoted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "lowest", "highest"),
    [({"kind": "fixed", "looks": CHALLENGERS}, 0.0, 0.1), ({"kind": "single"}, 0.0, 0.1), ({"kind": "open"}, 0.9, 1.0)],
)
def test_any_false_promotion(schedule: dict[str, object], lowest: float, highest: float) -> None:
    """At alpha .1 a fixed schedule promotes any of 100 with at most .1; judging each at .1 nearly always does."""
    declared, runs = policy(schedule), 40 if schedule["kind"] != "open" else 8
    lots = np.random.default_rng(2024)
    counts = [promotions(declared, holdout(lots), lots) for _ in range(runs)]
    share = np.mean([count > 0 for count in counts])
    assert share <= highest + 2 * np.sqrt(highest * (1 - highest) / runs)
    assert share >= lowest
    if schedule["kind"] != "open":
        assert max(counts) <= 1  # the holdout is retired


def test_evasions_do_not_add_looks() -> None:
    """Judged sixty times on parts of the holdout with fresh rows beside them: no rows get more than was declared."""
    lots = np.random.default_rng(7)
    rows, others = holdout(lots), holdout(lots)
    declared, state, look_count = policy({"kind": "fixed", "looks": 5}), State(), 0
    for _ in range(60):
        keep = np.flatnonzero(lots.random(ROWS) < lots.uniform(0.3, 1))
        added = np.flatnonzero(lots.random(ROWS) < lots.uniform(0, 0.9))
        champion = np.r_[rows.champion[keep], others.champion[added]]
        mixed = Evidence.from_arrays(
            row_id=np.r_[rows.row_id.to_numpy()[keep], others.row_id.to_numpy()[added]],
            label=np.r_[rows.label[keep], others.label[added]],
            challenger=champion,
            champion=champion,
            task="regression",
        )
        decision = judge(declared, add_challenger(mixed, lots), state)
        look_count += decision.look.number is not None
        state = decision.state.model_copy(update={"champion": None})
    assert all(len(ledger.looks) <= 5 and ledger.spent <= 0.1 + 1e-9 for ledger in state.holdouts.values())
    assert 5 <= look_count <= 10  # the looks of the holdout, and of what was mixed into it
    for whole in (rows, others):
        assert judge(declared, add_challenger(whole, lots), state).look.number is None
