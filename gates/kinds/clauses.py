"""How two conditions in the language of ease.ml/ci differ: clause by clause, by what each bounds."""

from __future__ import annotations

from collections.abc import Iterator

from gates.conditions import Clause, parse
from gates.strictness import Category, Direction, Finding, Place, finding

_Bounds = tuple[float, float, float]


class Clauses:
    """The rule of a condition: a clause more is stricter, and so is a higher limit or a narrower interval.

    Clauses are scaled so that each says `sum > limit`: `d < 0.1` is `-d > -0.1`.
    """

    def compare(self, before: str, after: str, place: Place) -> Iterator[Finding]:
        old, new = _by_sum(before), _by_sum(after)
        for asked, clause in old.items():
            if asked not in new:
                yield finding(Category.GATES, Direction.WEAKER, place.where, clause.text, None)
                continue
            for category, change in _changes(clause, new[asked]):
                direction = Direction.TIGHTER if change > 0 else Direction.WEAKER
                yield finding(category, direction, place.where, clause.text, new[asked].text)
        for asked, clause in new.items():
            if asked not in old:
                yield finding(Category.GATES, Direction.TIGHTER, place.where, None, clause.text)


def _by_sum(condition: str) -> dict[_Bounds, Clause]:
    found = {}
    for clause in parse(condition):
        scale = _scale(clause)
        found[clause.n / scale, clause.o / scale, clause.d / scale] = clause
    return found


def _scale(clause: Clause) -> float:
    return max(abs(clause.n), abs(clause.o), abs(clause.d)) * (1.0 if clause.greater else -1.0)


def _changes(old: Clause, new: Clause) -> Iterator[tuple[Category, float]]:
    """What of a clause changed, above 0 where it is stricter."""
    category = Category.MARGIN if old.n and old.o else Category.FLOOR
    limit = new.limit / _scale(new) - old.limit / _scale(old)
    within = old.within / abs(_scale(old)) - new.within / abs(_scale(new))
    yield from ((category, change) for change in (limit,) if change)
    yield from ((Category.ROWS, change) for change in (within,) if change)
