"""A holdout is recognised by its rows: what does not start a new life, what does, and how often that goes wrong."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from lockgate import Evidence, Policy, State, hash_row_ids, judge
from lockgate.gates.judge.holdouts import SKETCH_SIZE, recognise
from lockgate.gates.records.state import MAX_HOLDOUTS, MAX_OPEN_HOLDOUTS, Holdout

SALT = "of this log"
LOOKS = 3
GATES = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "ignore",
    "min_clusters": 10,
    "min_class_rows": 2,
    "serial_dependence": "if_ordered",
    "schedule": {"kind": "fixed", "looks": LOOKS},
    "disclose": "all",
    "valid_for": "90d",
    "checks": {"gain": {"kind": "improvement", "metric": "brier", "margin": 0.1}},
}
POLICY = Policy.parse(GATES)


def names(first: int, count: int) -> np.ndarray:
    return np.array([f"2024-05/{number:07d}" for number in range(first, first + count)])


def rows(ids, *, seed: int = 0, label=None) -> Evidence:
    """These rows, with a challenger that nobody scored before, no better than the champion."""
    lots = np.random.default_rng([seed, len(ids)])
    of_id = (hash_row_ids(ids) % np.uint64(5) == 0).astype(float)
    return Evidence.from_arrays(
        row_id=ids,
        label=of_id if label is None else label,
        challenger=lots.uniform(0.2, 0.4, len(ids)),
        champion=lots.uniform(0.2, 0.4, len(ids)),
    )


def look_at(*evidence: Evidence, state: State | None = None) -> State:
    """The state after a look at each."""
    state = state or State(salt=SALT)
    for rows in evidence:
        decision = judge(POLICY, rows, state)
        assert decision.look.number is not None, decision.look.message
        state = decision.state
    return state


def find_shares(evidence: Evidence, state: State) -> dict[str, tuple[float, float]]:
    return {match.digest: (match.of_rows, match.of_holdout) for match in recognise(evidence, state, seq=99).matches}


def integers(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count) * 7 + 3


EVASIONS = {
    "the very same rows": lambda ids, lots: ids,
    "a row dropped": lambda ids, lots: ids[1:],
    "40 % dropped": lambda ids, lots: lots.permutation(ids)[: int(0.6 * len(ids))],
    "a tenth, at random": lambda ids, lots: lots.permutation(ids)[: len(ids) // 10],
    "its first tenth": lambda ids, lots: ids[: len(ids) // 10],
    "fresh rows added": lambda ids, lots: np.concatenate([ids, fresh(ids, len(ids))]),
    "ten times as many fresh rows added": lambda ids, lots: np.concatenate([ids, fresh(ids, 10 * len(ids))]),
    "a quarter exchanged": lambda ids, lots: np.concatenate([ids[len(ids) // 4 :], fresh(ids, len(ids) // 4)]),
    "in another order": lambda ids, lots: lots.permutation(ids),
}


def fresh(ids, count: int) -> np.ndarray:
    return integers(10**7, count) if np.issubdtype(ids.dtype, np.integer) else names(10**6, count)


@pytest.mark.parametrize("make_ids", [names, integers])
@pytest.mark.parametrize("count", [150, 256, 300, 3000])
@pytest.mark.parametrize("evasion", EVASIONS)
def test_what_does_not_start_a_new_life(evasion: str, count: int, make_ids) -> None:
    """Judged after the looks at a holdout are spent, nothing passes on what was made of its rows."""
    ids = make_ids(0, count)
    state = look_at(*(rows(ids, seed=seed) for seed in range(LOOKS)))
    again = rows(EVASIONS[evasion](ids, np.random.default_rng(5)), seed=77)
    decision = judge(POLICY, again, state)
    assert decision.look.message.startswith("no look was taken: the 3 looks declared for this holdout are spent")
    assert decision.state.holdouts == state.holdouts


@pytest.mark.parametrize("count", [150, 3000])
def test_labels_that_were_changed_are_still_the_rows_that_were_looked_at(count: int) -> None:
    ids = names(0, count)
    first = rows(ids)
    state = look_at(first)
    for flipped in (np.arange(count) % 10 == 0, np.ones(count, dtype=bool)):
        again = rows(ids, seed=1, label=np.where(flipped, 1 - first.label, first.label))
        assert again.holdout != first.holdout
        assert judge(POLICY, again, state).look.holdouts == (first.holdout,)


def test_rows_under_other_ids_cannot_be_recognised() -> None:
    state = look_at(rows(names(0, 3000)))
    assert find_shares(rows([f"x{name}" for name in names(0, 3000)]), state) == {}


@pytest.mark.parametrize("count", [150, 3000])
def test_other_months_are_other_holdouts(count: int) -> None:
    months = [rows(names(month * count, count)) for month in range(3)]
    state = look_at(*months)
    assert [len(holdout.looks) for holdout in state.holdouts.values()] == [1, 1, 1]
    assert all(list(find_shares(month, state)) == [month.holdout] for month in months)


def test_less_than_half_in_common_is_another_holdout() -> None:
    state = look_at(rows(names(0, 200)))
    assert list(find_shares(rows(names(100, 200)), state).values()) == [(0.5, 0.5)]
    assert find_shares(rows(names(101, 200)), state) == {}


def test_numbers_of_rows_name_no_rows() -> None:
    """Any two tables that were never given ids have the ids 0, 1, 2 …"""
    may, june = rows(np.arange(500), label=np.arange(500) % 2), rows(np.arange(500), label=np.arange(500) % 3 == 0)
    state = look_at(may)
    assert find_shares(may, state) == {may.holdout: (1.0, 1.0)}
    assert find_shares(june, state) == {}
    assert find_shares(rows(np.arange(1, 500)), state) == {may.holdout: (1.0, pytest.approx(1, abs=0.01))}
    assert find_shares(rows(integers(0, 500)), look_at(rows(integers(0, 500)))) != {}


# --- several holdouts at once --------------------------------------------------------------------------------------


def test_a_union_of_holdouts_is_charged_to_each() -> None:
    may, june = names(0, 400), names(400, 400)
    state = look_at(rows(may), rows(june))
    both = rows(np.concatenate([may, june]))
    state = look_at(both, state=state)
    assert [len(state.holdouts[evidence.holdout].looks) for evidence in (rows(may), rows(june), both)] == [2, 2, 1]
    state = look_at(rows(may, seed=1), state=state)  # May is spent
    for evidence, may_look in ((both, False), (rows(may, seed=2), False), (rows(june, seed=2), True)):
        again = rows(evidence.row_id.to_pylist(), seed=9)
        assert (judge(POLICY, again, state).look.number is not None) == may_look


def test_halves_in_turn_share_the_looks_of_the_whole() -> None:
    whole, halves = names(0, 800), (names(0, 400), names(400, 400))
    state = look_at(rows(whole))
    state = look_at(*(rows(halves[turn % 2], seed=turn) for turn in range(LOOKS - 1)), state=state)
    assert all("spent" in judge(POLICY, rows(half, seed=9), state).look.message for half in halves)


def test_halves_first_leave_the_whole_what_the_poorer_half_has() -> None:
    halves = (names(0, 400), names(400, 400))
    state = look_at(*(rows(halves[0], seed=seed) for seed in range(LOOKS)), rows(halves[1]))
    assert "spent" in judge(POLICY, rows(np.concatenate(halves)), state).look.message
    assert judge(POLICY, rows(halves[1], seed=5), state).look.number == 2


def test_rows_that_came_in_with_an_old_holdout_are_known_afterwards() -> None:
    """Old rows are drifted away from; what they drifted to has had the looks that it took part in."""
    old, new = names(0, 600), names(600, 400)
    mixed = np.concatenate([old[:400], new])
    state = look_at(rows(old), rows(mixed), rows(mixed, seed=1))
    assert judge(POLICY, rows(new), state).look.number == 3
    assert "about 100% of its rows are holdout" in judge(POLICY, rows(new), state).look.message


def test_parts_of_a_holdout_need_no_entry_of_their_own() -> None:
    ids = names(0, 1000)
    state = look_at(rows(ids), rows(ids[1:]), rows(ids[::2]))
    assert list(state.holdouts) == [rows(ids).holdout]


def test_a_promotion_on_part_of_a_holdout_retires_the_whole() -> None:
    ids = names(0, 900)
    state = look_at(rows(ids))
    part = rows(ids[:500])
    better = Evidence.from_arrays(
        row_id=ids[:500], label=part.label, challenger=0.8 * part.label + 0.1, champion=part.champion
    )
    promoted = judge(POLICY, better, state)
    assert promoted.verdict == "PROMOTE"
    assert promoted.state.holdouts[rows(ids).holdout].retired
    assert "retired" in judge(POLICY, rows(ids[400:], seed=8), promoted.state).look.message


def test_the_report_says_whose_rows_they_are() -> None:
    ids = names(0, 1000)
    state = look_at(rows(ids))
    digest = rows(ids).holdout
    assert judge(POLICY, rows(ids, seed=4), state).look.message == "look 2 of 3 at this holdout"
    part, more = rows(ids[:700]), rows(np.concatenate([ids, names(1000, 3000)]))
    assert judge(POLICY, part, state).look.message == (
        f"look 2 of 3 at this holdout; about 100% of its rows are holdout {digest[:12]}, first looked at in entry 1"
    )
    decision = judge(POLICY, more, state)
    assert decision.look.message == (
        f"look 2 of 3 at this holdout; its rows hold about 100% of holdout {digest[:12]}, first looked at in entry 1"
    )
    assert decision.look.holdouts == (more.holdout, digest)
    assert decision.binding.holdout == more.holdout


# --- how often it errs ---------------------------------------------------------------------------------------------


def knowing(ids: np.ndarray) -> State:
    """The state that knows these rows."""
    return State(salt=SALT, holdouts={"0" * 64: recognise(rows(ids), State(salt=SALT), seq=1).rows})


@pytest.mark.parametrize(("share", "lowest", "highest"), [(0.0, 0, 0), (0.3, 0, 0), (0.6, 0.995, 1), (0.75, 1, 1)])
def test_error_rates(share: float, lowest: float, highest: float) -> None:
    """Holdouts of 4,000 rows that have this share in common: how many of 300 are taken for the same."""
    lots, runs, n = np.random.default_rng(17), 300, 4000
    same = 0
    for _ in range(runs):
        drawn = lots.integers(0, 2**62, 2 * n)
        begin = n - int(share * n)
        same += bool(recognise(rows(drawn[begin : begin + n]), knowing(drawn[:n]), seq=2).matches)
    assert lowest <= same / runs <= highest


def test_the_estimate_is_as_good_as_is_said() -> None:
    """Standard error of the share, at an overlap of a half: sqrt(.25/256) = .031."""
    lots, n = np.random.default_rng(3), 4000
    shares = []
    for _ in range(300):
        drawn = np.unique(lots.integers(0, 2**62, int(1.5 * n)))
        lots.shuffle(drawn)
        (match,) = recognise(rows(drawn[n // 2 :]), knowing(drawn[:n]), seq=2).matches or [None]
        shares.append(match.of_holdout if match else np.nan)
    estimates = np.array(shares)
    # values below one half are cut off: the rest is the upper half of a normal around .5
    assert 0.4 < np.mean(np.isfinite(estimates)) < 0.75
    assert np.sqrt(np.nanmean((estimates - 0.5) ** 2)) == pytest.approx(0.031, rel=0.2)


@pytest.mark.parametrize(("tenth", "lowest"), [(0.1, 1.0), (0.02, 0.98)])
def test_a_small_part_of_a_large_holdout(tenth: float, lowest: float) -> None:
    """A part is missed when none of the 256 rows is in it: about exp(−256·share)."""
    lots, n, runs = np.random.default_rng(8), 20_000, 200
    ids = np.unique(lots.integers(0, 2**62, n))
    state = knowing(ids)
    hits = [
        bool(recognise(rows(lots.choice(ids, int(tenth * n), replace=False)), state, seq=2).matches)
        for _ in range(runs)
    ]
    assert np.mean(hits) >= lowest


# --- what the log keeps --------------------------------------------------------------------------------------------


def test_what_is_kept_is_small_and_holds_no_label() -> None:
    ids = names(0, 3000)
    holdouts = [
        recognise(rows(ids, label=label), State(salt=SALT), seq=1).rows for label in (np.zeros(3000), np.ones(3000))
    ]
    assert holdouts[0] == holdouts[1]
    assert (holdouts[0].rows, len(base64.b64decode(holdouts[0].hashes))) == (3000, 4 * SKETCH_SIZE)
    other = recognise(rows(ids), State(salt="another log"), seq=1).rows
    hashes = [set(np.frombuffer(base64.b64decode(holdout.hashes), "<u4").tolist()) for holdout in (holdouts[0], other)]
    assert not hashes[0] & hashes[1]


def test_a_log_of_many_holdouts_stays_small_and_knows_them_all() -> None:
    """24 holdouts with 20 looks each, and what is older."""
    state = State(salt=SALT)
    months = [rows(names(month * 600, 600)) for month in range(60)]
    for seq, month in enumerate(months, start=1):
        recognised = recognise(month, state, seq=seq)
        state = state.register_holdout(month.holdout, recognised.rows)
        for look in range(20):
            state = state.record_look([month.holdout], f"{look:02d}{month.holdout[:30]}", seq=seq, error=0.0025)
    whole = [holdout for holdout in state.holdouts.values() if not holdout.retired]
    assert len(whole) == MAX_OPEN_HOLDOUTS
    size = len(json.dumps(state.model_dump(mode="json"), separators=(",", ":")))
    assert size < MAX_OPEN_HOLDOUTS * 2500 + (60 - MAX_OPEN_HOLDOUTS) * 350
    assert all(list(find_shares(month, state)) == [month.holdout] for month in months)
    assert all(find_shares(rows(names(month * 600 + 60, 540)), state) for month in range(60))
    assert "retired" in judge(POLICY, rows(names(0, 500)), state).look.message


def test_the_number_of_holdouts_is_bounded_and_the_oldest_go_first() -> None:
    holdout = Holdout(rows=1, hashes=base64.b64encode(bytes(4)).decode(), numbered=False, since=1)
    holdouts = {f"{seq:064d}": holdout.model_copy(update={"since": seq}) for seq in range(1, MAX_HOLDOUTS + 1)}
    state = State(holdouts=holdouts).register_holdout("f" * 64, holdout.model_copy(update={"since": 9999}))
    assert len(state.holdouts) == MAX_HOLDOUTS
    assert f"{1:064d}" not in state.holdouts
    assert f"{2:064d}" in state.holdouts


@pytest.mark.parametrize("hashes", ["", "AAAA", "no base64!", "ü"])
def test_hashes_that_nobody_wrote_are_refused(hashes: str) -> None:
    with pytest.raises(ValueError, match="hashes of a holdout"):
        Holdout(rows=1, hashes=hashes, numbered=False, since=1)
