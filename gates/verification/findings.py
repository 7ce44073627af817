"""What a verification finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Subject = Literal["log", "policy", "run", "tags", "predictions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One thing that is not as it must be. Fields have the names that `verify --json` prints."""

    about: Subject
    where: str  # an object, a run, or a version
    said: str  # the problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRecord:
    """What a promoting entry binds, as far as its run can be compared with it."""

    seq: int
    run: str
    model: str | None
    holdout: str
    scores: str
    champion_scores: str | None


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was checked, every deviation, and what was skipped. Grows as the verification proceeds.

    Fields have the names that `verify --json` prints.
    """

    entries: int = 0
    promotions: int = 0  # whose runs were compared with their entries
    tagged: int = 0  # runs whose tags were checked
    versions: int = 0  # of predictions
    deviations: list[Deviation] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)  # what is allowed, but waits for somebody to act
    notes: list[str] = field(default_factory=list)  # what was not checked, and why

    @property
    def clean(self) -> bool:
        """Whether there is no deviation."""
        return not self.deviations

    def add(self, subject: Subject, where: str, problem: str) -> None:
        """Add a deviation, unless one of the last few is the same."""
        deviation = Deviation(about=subject, where=where, said=" ".join(problem.split()))
        if deviation not in self.deviations[-8:]:
            self.deviations.append(deviation)

    def note(self, remark: str) -> None:
        """Add a remark about something that was not checked."""
        self.notes.append(" ".join(remark.split()))
