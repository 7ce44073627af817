"""A table that grows for 24 periods: whether fresh rows let better models replace the champion, and only those."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.simulations.table import MeasuredRate, ResultTable
from lockgate import Evidence, Policy, Ruling, State, judge
from lockgate.gates.judge.looks import list_spent_entries

PERIODS, ROWS, SHARE, LOOKS, ALPHA = 24, 800, 0.5, 2, 0.05
CHAMPION, DISAGREE = 0.75, 0.1
GAIN = 0.05

POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 1 - ALPHA,
        "clusters": "if_present",
        "min_clusters": 10,
        "min_class_rows": 2,
        "serial_dependence": "if_ordered",
        "schedule": {"kind": "fixed", "looks": LOOKS},
        "disclose": "all",
        "valid_for": "90d",
        "checks": {"gain": {"kind": "improvement", "metric": "accuracy", "margin": 0.0}},
    }
)


@dataclass
class Story:
    """What became of one table."""

    promoted: list[bool] = field(default_factory=list)  # by period
    looks: int = 0
    # by the first row that was fresh: whether a challenger was promoted on the rows since, however often looked at
    seasons: dict[int, bool] = field(default_factory=dict)


def tell_story(rng: np.random.Generator, *, gain: float, fresh: bool, periods: int = PERIODS) -> Story:
    """One challenger a period, truly better by `gain` than the champion of the moment, judged with the real ledger.

    fresh: held out is a share of the fresh rows, as `pipelines/scoring/used_rows.py` chooses them; else of all rows.
    """
    story, state = Story(), State(seq=1, salt="0")
    drawn = np.empty(0, dtype=bool)  # of each row: whether it falls into the share
    right = np.empty(0, dtype=bool)  # whether the champion is right on it
    champion, rows_of = 1, {1: 0}  # the entry that promoted the champion, and how many rows each entry's run had
    for seq in range(2, 2 + periods):
        drawn = np.concatenate([drawn, rng.random(ROWS) < SHARE])
        right = np.concatenate([right, rng.random(ROWS) < CHAMPION])
        rows_of[seq] = drawn.size
        used = max(rows_of[entry] for entry in (champion, *list_spent_entries(POLICY, state, after=champion)))
        first = used if fresh else 0
        ids = np.flatnonzero(drawn[first:]) + first
        challenger = _flip(rng, right, gain)
        evidence = Evidence.from_arrays(
            label=np.ones(ids.size), challenger=challenger[ids], champion=right[ids], row_id=ids
        )
        decision = judge(POLICY, evidence, state)
        promoted = decision.verdict is Ruling.PROMOTE
        story.promoted.append(promoted)
        story.looks += decision.look.number is not None
        story.seasons[first] = story.seasons.get(first, False) or promoted
        state = decision.state.model_copy(update={"seq": seq})
        if promoted:
            right, champion = challenger, seq
    return story


def _flip(rng: np.random.Generator, right: NDArray[np.bool_], gain: float) -> NDArray[np.bool_]:
    """Whether a challenger is right: it differs from the champion on `DISAGREE` of the rows."""
    share = np.where(right, (DISAGREE - gain) / 2 / CHAMPION, (DISAGREE + gain) / 2 / (1 - CHAMPION))
    flipped: NDArray[np.bool_] = right ^ (rng.random(right.size) < share)
    return flipped


def tables_that_grow(*, runs: int, seed: int = 31) -> ResultTable:
    """What 24 challengers in turn do to the champion of a table that grows."""
    lines = []
    for name, fresh in (("**fresh rows**", True), ("a fraction of all rows", False)):
        for gain in (0.0, GAIN):
            seeds = ([seed, int(1000 * gain), run] for run in range(runs if fresh else max(1, runs // 4)))
            stories = [tell_story(np.random.default_rng(lots), gain=gain, fresh=fresh) for lots in seeds]
            seasons = [promoted for story in stories for promoted in story.seasons.values()]
            late = [any(story.promoted[PERIODS // 2 :]) for story in stories]
            must_go_on = fresh and gain > 0
            lines.append(
                (
                    f"{name}, a true gain of {gain:.0%}",
                    f"{np.mean([story.looks for story in stories]):.1f}",
                    f"{np.mean([sum(story.promoted) for story in stories]):.2f}",
                    MeasuredRate.of(seasons, at_most=None if gain else ALPHA),
                    MeasuredRate.of(late, at_least=0.99 if must_go_on else None),
                )
            )
    return ResultTable(
        title="A table that grows",
        description=(
            f"In each of {PERIODS} periods {ROWS} rows come in and one challenger is judged by `judge` with "
            f"`schedule: {{kind: fixed, looks: {LOOKS}}}` and `improvement` of accuracy at margin 0, beside a champion "
            f"of accuracy {CHAMPION} from which it differs on {DISAGREE:.0%} of the rows; the state is passed on. Held "
            "out is half of the fresh rows, or half of all rows. A season is a set of rows that is fresh from one "
            "moment on, until a challenger replaces the champion or the looks are taken: without a gain, a challenger "
            f"is promoted in at most .05 of the seasons (asked); with one, in the last {PERIODS // 2} periods as well "
            "(asked: in at least .99 of the tables). A fraction of all rows is one season for ever."
        ),
        head=("held out", "looks", "promotions", "seasons with a promotion", f"promoted in the last {PERIODS // 2}"),
        rows=tuple(lines),
        seed=seed,
    )
