"""One change of what models have to meet: its category, its direction, and the reason in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

MAX_TEXT_CHARS = 240
ABSENT = "–"


class Direction(StrEnum):
    """Which way a change goes. REVIEW is for changes that only a person can classify."""

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


CHANGE_NAMES: dict[Category, tuple[str, str, str]] = {
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
"""What a change is called, by category: if it is weaker, if it is tighter, and else."""

CHANGE_REASONS: dict[Category, tuple[str, str, str]] = {
    Category.FLOOR: (
        "the limit is easier to meet: models that were held may pass",
        "the limit is harder to meet",
        "the limit applies to something else now",
    ),
    Category.MARGIN: (
        "a challenger may be worse, or gain less, and still pass",
        "a challenger has to gain more, or may lose less",
        "the margin applies to something else now",
    ),
    Category.CONFIDENCE: (
        "every bound needs less proof: models pass by chance more often",
        "every bound needs more proof",
        "bounds have another level of confidence",
    ),
    Category.ROWS: (
        "fewer rows or clusters are enough for a verdict",
        "more rows or clusters are needed for a verdict",
        "the numbers of rows needed cannot be compared",
    ),
    Category.GATES: (
        "something no longer has to be shown",
        "something more has to be shown",
        "something else has to be shown",
    ),
    Category.SEVERITY: (
        "the gate is still reported, but no longer stops a model",
        "the gate now stops a model",
        "the gate counts differently",
    ),
    Category.CODE: ("the code that judges has changed",) * 3,
    Category.HOLDOUT: (
        "the rows show less than before, or the model sees what it should not",
        "the rows show more than before, or the model sees less of what it should not",
        "models are judged on other rows than before",
    ),
    Category.WAIVER: (
        "a model without proof now passes where it was held, or is served longer",
        "a model without proof is now held where it passed",
        "the rules for models without proof have changed",
    ),
    Category.TRUST: (
        "more is trusted: a person or a source that did not count counts now",
        "less is trusted",
        "another person or source is trusted",
    ),
    Category.DEFAULT: ("commands without an explicit choice use something else",) * 3,
    Category.LOOKS: (
        "more challengers may be compared on one holdout",
        "fewer challengers may be compared on one holdout",
        "comparisons on one holdout are counted differently",
    ),
    Category.WORDING: ("no judgement depends on it",) * 3,
}
"""Why a change counts as weaker, as tighter, or needs review, for rules without a more precise reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One change: its category and direction, where it is, both values as text, and the reason.

    `file` is the file of conf/ if `conf/config.yaml` does not choose it; otherwise it is empty.
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
        """The category in words that fit the direction: `lower floor`, `higher floor`."""
        return _phrase_for(CHANGE_NAMES, self.category, self.direction)


def make_finding(
    category: Category, direction: Direction, where: str, before: Any, after: Any, why: str = ""
) -> Finding:
    """A finding with the values as text. Without `why` it has the reason of its category."""
    return Finding(
        category=category,
        direction=direction,
        where=where,
        before=format_value(before),
        after=format_value(after),
        why=why or _phrase_for(CHANGE_REASONS, category, direction),
    )


def _phrase_for(table: Mapping[Category, tuple[str, str, str]], category: Category, direction: Direction) -> str:
    weaker, tighter, other = table[category]
    return {Direction.WEAKER: weaker, Direction.TIGHTER: tighter}.get(direction, other)


def format_value(value: Any) -> str:
    """A value as a policy writes it, cut to `MAX_TEXT_CHARS`; – for None."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        formatted = value
    elif isinstance(value, float):
        formatted = f"{value:.12g}"
    else:
        formatted = json.dumps(value, default=_plain, ensure_ascii=False)
    return formatted if len(formatted) <= MAX_TEXT_CHARS else formatted[: MAX_TEXT_CHARS - 1] + "…"


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything that changed from one version of the settings to another, the worst first.

    `authors` counts changed files of conf/model, conf/train and conf/experiment, which their authors may change freely.
    `reworded` counts changed files of conf/ with the same values as before.
    """

    before: str
    after: str
    findings: tuple[Finding, ...]
    authors: int = 0
    reworded: int = 0

    def _with_direction(self, direction: Direction) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.direction is direction)

    @property
    def weakenings(self) -> tuple[Finding, ...]:
        return self._with_direction(Direction.WEAKER)

    @property
    def reviews(self) -> tuple[Finding, ...]:
        """Changes that may be weaker, which a person has to decide."""
        return self._with_direction(Direction.REVIEW)

    @property
    def tightenings(self) -> tuple[Finding, ...]:
        return self._with_direction(Direction.TIGHTER)

    @property
    def neutral(self) -> tuple[Finding, ...]:
        return self._with_direction(Direction.NEUTRAL)

    @property
    def exit_code(self) -> int:
        """1 if something is weaker or needs review, else 0."""
        return 1 if self.weakenings or self.reviews else 0
