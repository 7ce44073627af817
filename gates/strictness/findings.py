"""One change of what is asked of a model, with its name, its direction and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

SHOWN = 240
ABSENT = "–"


class Direction(StrEnum):
    """Which way a change goes. What may be either is for a person: REVIEW."""

    WEAKER = "weaker"
    REVIEW = "review"
    TIGHTER = "tighter"
    NEUTRAL = "neutral"


WORST_FIRST = (Direction.WEAKER, Direction.REVIEW, Direction.TIGHTER, Direction.NEUTRAL)


class Category(StrEnum):
    """What a change is about."""

    FLOOR = "floor"
    MARGIN = "margin"
    CONFIDENCE = "confidence"
    ROWS = "rows"
    GATES = "gates"
    SEVERITY = "severity"
    CODE = "code"
    HOLDOUT = "holdout"
    WAIVER = "waiver"
    TRUST = "trust"
    DEFAULT = "default"
    LOOKS = "looks"
    WORDING = "wording"


NAMES: dict[Category, tuple[str, str, str]] = {
    Category.FLOOR: ("lower floor", "higher floor", "other limit"),
    Category.MARGIN: ("wider margin", "narrower margin", "other margin"),
    Category.CONFIDENCE: ("lower confidence", "higher confidence", "other confidence"),
    Category.ROWS: ("fewer rows or clusters", "more rows or clusters", "other number of rows"),
    Category.GATES: ("dropped gate or slice", "added gate or slice", "changed gate"),
    Category.SEVERITY: ("block to warn", "warn to block", "other severity"),
    Category.CODE: ("changed judging code",) * 3,
    Category.HOLDOUT: ("weaker holdout", "stricter holdout", "other holdout"),
    Category.WAIVER: ("waiving rule", "waiving rule taken back", "other waiving rule"),
    Category.TRUST: ("looser trust", "tighter trust", "other trust"),
    Category.DEFAULT: ("changed default",) * 3,
    Category.LOOKS: ("more looks", "fewer looks", "other looks"),
    Category.WORDING: ("wording",) * 3,
}
"""What a change of each category is called that is weaker, tighter, or to be reviewed."""

WHY: dict[Category, tuple[str, str, str]] = {
    Category.FLOOR: (
        "the limit is easier to meet: models that were held may pass",
        "the limit is harder to meet",
        "the limit is of something else than before",
    ),
    Category.MARGIN: (
        "a challenger may be worse, or gain less, and still pass",
        "a challenger must gain more, or may lose less",
        "the margin is of something else than before",
    ),
    Category.CONFIDENCE: (
        "less proof is asked of every bound: chance passes more often",
        "more proof is asked of every bound",
        "the level at which it is shown is another one",
    ),
    Category.ROWS: (
        "fewer rows or clusters are enough to show something",
        "more rows or clusters are asked",
        "how many rows are asked cannot be compared",
    ),
    Category.GATES: (
        "something that had to be shown need not be any more",
        "something more must be shown",
        "what must be shown is something else than before",
    ),
    Category.SEVERITY: (
        "the gate is shown, but no longer stops a model",
        "the gate now stops a model",
        "the gate counts in another way",
    ),
    Category.CODE: ("code that judges is another one",) * 3,
    Category.HOLDOUT: (
        "the rows show less than they did, or the model sees what it should not",
        "the rows show more than they did, or the model sees less of what it should not",
        "models are judged on other rows than those that were agreed on",
    ),
    Category.WAIVER: (
        "what was held for want of proof now passes, or stays longer",
        "what passed for want of proof is now held",
        "what passes for want of proof is something else",
    ),
    Category.TRUST: (
        "more is believed: somebody or something that did not count now counts",
        "less is believed",
        "somebody or something else is believed",
    ),
    Category.DEFAULT: ("commands that name nothing get something else",) * 3,
    Category.LOOKS: (
        "one holdout may be tried more often",
        "one holdout may be tried less often",
        "how often one holdout may be tried is counted in another way",
    ),
    Category.WORDING: ("nothing that is judged changes",) * 3,
}
"""Why that is so, where a rule has nothing more precise to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One change: its category and direction, where it is, both values as text, and why it goes that way.

    `file` names the file of conf/ where it is no part of what `conf/config.yaml` chooses.
    """

    category: Category
    direction: Direction
    where: str
    before: str
    after: str
    why: str
    file: str = ""

    @property
    def name(self) -> str:
        """The category as one says it of this direction: `lower floor`, `higher floor`."""
        return _told(NAMES, self.category, self.direction)


def finding(category: Category, direction: Direction, where: str, before: Any, after: Any, why: str = "") -> Finding:
    """A finding with the values as text, and its category's reason where none is given."""
    return Finding(
        category=category,
        direction=direction,
        where=where,
        before=text(before),
        after=text(after),
        why=why or _told(WHY, category, direction),
    )


def _told(table: Mapping[Category, tuple[str, str, str]], category: Category, direction: Direction) -> str:
    weaker, tighter, other = table[category]
    return {Direction.WEAKER: weaker, Direction.TIGHTER: tighter}.get(direction, other)


def text(value: Any) -> str:
    """A value as a policy writes it; – where there is none."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        said = value
    elif isinstance(value, float):
        said = f"{value:.12g}"
    else:
        said = json.dumps(value, default=_plain, ensure_ascii=False)
    return said if len(said) <= SHOWN else said[: SHOWN - 1] + "…"


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything that changed from one version of the settings to another, the worst first.

    `authors` counts changed files of conf/model, conf/train and conf/experiment, which are their authors' choice;
    `reworded` counts changed files of conf/ whose change says nothing else.
    """

    before: str
    after: str
    findings: tuple[Finding, ...]
    authors: int = 0
    reworded: int = 0

    def _of(self, direction: Direction) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.direction is direction)

    @property
    def weakenings(self) -> tuple[Finding, ...]:
        return self._of(Direction.WEAKER)

    @property
    def reviews(self) -> tuple[Finding, ...]:
        """What may be weaker: nobody can tell but a person."""
        return self._of(Direction.REVIEW)

    @property
    def tightenings(self) -> tuple[Finding, ...]:
        return self._of(Direction.TIGHTER)

    @property
    def neutral(self) -> tuple[Finding, ...]:
        return self._of(Direction.NEUTRAL)

    @property
    def exit_code(self) -> int:
        """1 where something is weaker or is to be reviewed, else 0."""
        return 1 if self.weakenings or self.reviews else 0
